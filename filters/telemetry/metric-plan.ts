// consumes: what a configuration wants changed of the standard metrics
// produces: for every metric whether it is counted, and its name with its labels out of the standard ones
// never does: use a label that the bootstrap does not cut out of names
import { BytesWriter, Expression } from "as-proxy-wasm-sdk";
import { addressOf, cut, indexOf, lengthOf, Span, startsWith, utf8, viewOf } from "../policy/bytes";
import { writeLabel } from "./workload";

/** What becomes of one label of one metric. */
export class LabelChange {
  constructor(
    readonly label: string,
    /** `;<label>=`: how the label stands among the standard ones. */
    readonly prefix: StaticArray<u8>,
    /** Index of the expression that gives the value; -1: the label is left out. */
    readonly expression: i32,
  ) {}
}

/** One metric as it is to be counted. */
export class MetricPlan {
  disabled: bool = false;
  changes: LabelChange[] = [];

  constructor(readonly name: string) {}

  /** Replaces what was said before of a label. */
  change(label: string, expression: i32): void {
    const change = new LabelChange(label, utf8(";" + label + "="), expression);
    for (let i = 0; i < this.changes.length; i++) {
      if (this.changes[i].label == label) {
        this.changes[i] = change;
        return;
      }
    }
    this.changes.push(change);
  }

  /**
   * Appends the stat's name: the metric's, then the standard labels (each `;label=value`) with the changes made.
   * `values` are those of the expressions.
   */
  writeName(to: BytesWriter, labels: Span, values: Span[]): void {
    to.text(this.name);
    let at = 0;
    while (at < lengthOf(labels)) {
      const next = indexOf(labels, 0x3b, at + 1);
      const end = next < 0 ? lengthOf(labels) : next;
      const label = cut(labels, at, end);
      if (!this.isChanged(label)) copy(to, label);
      at = end;
    }
    for (let i = 0; i < this.changes.length; i++) {
      const change = this.changes[i];
      if (change.expression >= 0) writeLabel(to, change.label, values[change.expression]);
    }
  }

  private isChanged(label: Span): bool {
    for (let i = 0; i < this.changes.length; i++) if (startsWith(label, viewOf(this.changes[i].prefix))) return true;
    return false;
  }
}

/** All metrics of one filter, and the expressions their labels need. */
export class MetricPlans {
  readonly plans: MetricPlan[] = [];
  readonly expressions: Expression[] = [];
  /**
   * Some label of some metric is left out or takes another value: streams of different keys may have the same names.
   */
  leavesOut: bool = false;
  private readonly texts: string[] = [];

  constructor(names: string[]) {
    for (let i = 0; i < names.length; i++) this.plans.push(new MetricPlan(names[i]));
  }

  /** Returns the index of an expression, -1 for one that is new. */
  indexOf(text: string): i32 {
    return this.texts.indexOf(text);
  }

  /** Adds a compiled expression; returns its index. */
  add(text: string, expression: Expression): i32 {
    this.texts.push(text);
    this.expressions.push(expression);
    return this.texts.length - 1;
  }

  /** Returns the first metric's number of that name, or -1. */
  find(name: string): i32 {
    for (let i = 0; i < this.plans.length; i++) if (this.plans[i].name == name) return i;
    return -1;
  }
}

function copy(to: BytesWriter, span: Span): void {
  for (let i = 0; i < lengthOf(span); i++) to.byte(load<u8>(addressOf(span) + i));
}
