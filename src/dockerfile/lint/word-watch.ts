import {
  type Environment,
  type ExpandedWord,
  expandHeredoc,
  expandWordDetails,
  WordError,
} from '../words.ts';

/** Expands words, and remembers which variables they asked for in vain, also where a word turns out to be malformed. */
export class WordWatch {
  /** Word by word. */
  readonly unset: ReadonlySet<string>[] = [];
  readonly #env: Environment;
  readonly #escape: string;

  constructor(env: Environment, escapeCharacter: string) {
    this.#env = env;
    this.#escape = escapeCharacter;
  }

  readonly word = (word: string): string => {
    return this.#note(() => expandWordDetails(word, this.#env, { escape: this.#escape }));
  };

  readonly text = (text: string): string => this.#note(() => expandHeredoc(text, this.#env));

  #note(expand: () => ExpandedWord): string {
    try {
      const { result, unmatched } = expand();
      this.unset.push(unmatched);
      return result;
    } catch (error) {
      if (error instanceof WordError) this.unset.push(error.unmatched);
      throw error;
    }
  }
}
