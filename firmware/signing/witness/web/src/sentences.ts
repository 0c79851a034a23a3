/** The sentences of this page, from firmware/messages (`witness.…`), in the language that is chosen. */

import type { Contents, Language, Texts } from "./contents";

export type Say = (key: string, details?: Record<string, string | number>) => string;

export class Speech {
  language: Language = "id";

  constructor(private readonly sentences: Contents["sentences"]) {}

  /** The sentence of a key, filled in. A key without a sentence is a mistake in this page. */
  say: Say = (key, details = {}) => {
    const text = this.sentences[this.language][key];
    if (text === undefined) throw new Error(`no sentence for ${key}`);
    return text.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? ""));
  };

  has(key: string): boolean {
    return key in this.sentences[this.language];
  }

  pick(texts: Texts): string {
    return texts[this.language];
  }

  switch(): void {
    this.language = this.language === "id" ? "en" : "id";
  }
}
