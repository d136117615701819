// About how many tokens a text has: a tokenizer is not at hand in a browser, and a labeler needs the size only.

const CJK = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/g;
const LATIN_OR_PLAIN = /[\u0000-\u024f]/g;

const count = (text, pattern) => text.match(pattern)?.length ?? 0;

/** Four characters a token in Latin script, two in others that have letters, one where each is a word or a syllable. */
export function tokensIn(text) {
  const latin = count(text, LATIN_OR_PLAIN);
  const cjk = count(text, CJK);
  return Math.ceil(latin / 4.2 + cjk + (text.length - latin - cjk) / 2);
}
