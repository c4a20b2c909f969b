// All answers of the states that follow from one another: which of them are kept, and until when.
import type { KeptAnswer } from "./source.ts";
import type { Stamp } from "./stamp.ts";

/** Questions from outside are counted; every so many, answers that none of the last ones led to are forgotten. */
const SWEEP_AFTER = 20_000;

export class Answers {
  private readonly shelves = new Set<Map<string, KeptAnswer>>();
  /** Those that hold an answer for another state beside the latest. */
  private two: KeptAnswer[] = [];
  private uses = 0;
  private sweep = 0;

  /** From now on answers are forgotten from this map too. */
  watch(answersByKey: Map<string, KeptAnswer>): void {
    this.shelves.add(answersByKey);
  }

  noteTwo(answer: KeptAnswer): void {
    this.two.push(answer);
  }

  keepOnly(stamps: readonly Stamp[]): void {
    for (const answer of this.two) answer.keepOne(stamps);
    this.two = [];
  }

  noteUse(answer: KeptAnswer): void {
    answer.usedInSweep = this.sweep;
    if (++this.uses % SWEEP_AFTER === 0) this.forgetUnused();
  }

  /**
   * An answer is in use when it was asked for from outside in this round or the one before, or when such an answer's
   * trace leads to it.
   */
  private forgetUnused(): void {
    const open: KeptAnswer[] = [];
    for (const answers of this.shelves)
      for (const answer of answers.values()) if (answer.usedInSweep >= this.sweep - 1) open.push(answer);
    for (let answer = open.pop(); answer !== undefined; answer = open.pop()) {
      if (answer.markedInSweep === this.sweep) continue;
      answer.markedInSweep = this.sweep;
      open.push(...answer.answersRead());
    }
    for (const answers of this.shelves)
      for (const [key, answer] of answers) if (answer.markedInSweep !== this.sweep) answers.delete(key);
    this.sweep++;
  }
}
