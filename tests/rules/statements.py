"""The rules of correctness in our words, by number. A test says which it holds: @pytest.mark.rule(20)."""

# ruff: noqa: E501 (one rule a line)
STATEMENTS: dict[int, str] = {
    1: "The token that fills up a row ends nothing and is never seen; a model tuned on one demonstration stops by itself.",
    2: "Where a text stands in its row, and what is filled up on which side, changes none of its logprobs.",
    3: "Every response ends with the end of turn of the model's template, in SFT, reward model and rollout alike; what "
    "people wrote never becomes a control token.",
    4: "A score is read at the last token of the response, wherever the row ends.",
    5: "What was sampled is learned from and scored as the same token ids, never decoded and encoded again.",
    6: "SFT's loss is on response tokens alone; a model that brings a chat template keeps it.",
    7: "Sampling, reference and update divide the logits by one temperature and obey no generation config; the first "
    "ratios are 1, and the log tells how far the sampler's logprobs were off.",
    8: "No model drops anything while PPO samples, reads or learns.",
    9: "Rollouts are drawn, not the likeliest text, whatever the architecture.",
    10: "A response is cut behind its first stop and scored as it is; one without a stop is charged a fixed amount; the "
    "share that ended is logged.",
    11: "The score is paid once, at the last action.",
    12: "The logprob of a token is read at the position before it.",
    13: "The KL penalty of a token is the signed, unclipped difference of its two logprobs.",
    14: "KL is logged with its sign, per response and per token; one that is negative beyond chance is reported.",
    15: "The zero of the reward model is saved and loaded with it.",
    16: "Rewards are never shifted; advantages are whitened over the valid tokens of an iteration.",
    17: "Advantages equal a slow double sum, and without discount the return less the value.",
    18: "The value model is another network that starts as the reward model; values are read one position before the "
    "action, behind the last one comes 0; all models share one tokenizer.",
    19: "A fresh scalar head has the spread of 1 over the root of its width (plus 1), and bias 0.",
    20: "However a step is cut into micro-batches, its gradient is the same.",
    21: "Softmax, losses and scores are float32 under bfloat16 too, and so are the weights that are kept.",
    22: "A ranking's loss is the mean over its untied pairs, whatever K; a prompt all tied is left out, and none is split.",
    23: "Responses behind one copy of their prompt get the scores and gradients of responses that stand alone.",
    24: "Adam's eps is 1e-5, warm-up climbs from a tenth where asked for, gradients are cut at norm 1, a minibatch is one "
    "step, and what is released is the average of the weights, which warms up.",
    25: "The gradient of pretraining text joins PPO's step, divided by its own count of tokens.",
    26: "On a language of 121 responses PPO reaches the optimum that is known in closed form.",
    27: "From rankings drawn from known scores the reward model learns those scores.",
    28: "One seed gives one result to the bit on a CPU, killed and resumed or not; the number of threads is noted.",
    29: "A gain of PPO is told beside colder SFT and best of n, on one plot, over three seeds, and at equal length.",
    30: "Accuracy has intervals over prompts and stands beside the agreement of people; nothing that was learned from is "
    "measured on, and a reward model that watches learned from other prompts and people.",
}
