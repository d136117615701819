// How long a request may take before it counts as one that has no connection: some networks take it and never answer.

const CHARACTERS_A_MS = 5; // so that a long text gets through a slow line, too

export const patience = (leastMs, characters = 0) => AbortSignal.timeout(leastMs + characters / CHARACTERS_A_MS);
