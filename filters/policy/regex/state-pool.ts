// Memory for the states of all lazily built automata of a module: bounded, and forgotten as a whole when it is full.
//
//   state: next in bucket │ owner │ context │ accepts │ transition of each byte class … │ count │ instruction …
//   +words 0                1       2         3         4                                 4 + classes

/** Words of the pool: 128 KiB. */
const POOL_WORDS: i32 = 32768;
const BUCKETS: i32 = 1024;

/** Where in a state its parts stand. */
export const OWNER: i32 = 1;
export const CONTEXT: i32 = 2;
export const ACCEPTS: i32 = 3;
export const TRANSITIONS: i32 = 4;

/** A transition that was not built yet. */
export const UNKNOWN: i32 = 0;
/** The state from which nothing matches. */
export const DEAD: i32 = 1;
const FIRST: i32 = 2;

let words: StaticArray<i32> = new StaticArray<i32>(0);
let buckets: StaticArray<i32> = new StaticArray<i32>(0);
let top: i32 = FIRST;
/** How often everything was forgotten: offsets of an earlier generation mean nothing. */
export let generation: i32 = 1;

/** Makes the pool, when the first expression is compiled. */
export function openPool(): void {
  if (words.length > 0) return;
  words = new StaticArray<i32>(POOL_WORDS);
  buckets = new StaticArray<i32>(BUCKETS);
}

/** Returns the word at `index`. */
// @ts-ignore: decorator
@inline
export function word(index: i32): i32 {
  return unchecked(words[index]);
}

/** Sets the word at `index`. */
// @ts-ignore: decorator
@inline
export function setWord(index: i32, value: i32): void {
  unchecked((words[index] = value));
}

/**
 * Returns the state of `owner` with these instructions (ascending) and this context, made if it is new; `generation`
 * has changed when everything else had to be forgotten for it; DEAD for no instructions. The largest state (MAX_PROGRAM
 * instructions) is less than a sixth of the pool.
 */
export function internState(owner: i32, context: i32, classes: i32, instructions: StaticArray<i32>, count: i32): i32 {
  if (count == 0) return DEAD;
  const bucket = hashOf(owner, context, instructions, count) & (BUCKETS - 1);
  for (let at = unchecked(buckets[bucket]); at != 0; at = word(at)) {
    if (isSame(at, owner, context, classes, instructions, count)) return at;
  }
  const size = TRANSITIONS + classes + 1 + count;
  if (top + size > POOL_WORDS) forget();
  const at = top;
  top += size;
  setWord(at, unchecked(buckets[bucket]));
  unchecked((buckets[bucket] = at));
  setWord(at + OWNER, owner);
  setWord(at + CONTEXT, context);
  for (let i = ACCEPTS; i < TRANSITIONS + classes; i++) setWord(at + i, UNKNOWN);
  setWord(at + TRANSITIONS + classes, count);
  for (let i = 0; i < count; i++) setWord(at + TRANSITIONS + classes + 1 + i, unchecked(instructions[i]));
  return at;
}

function forget(): void {
  memory.fill(changetype<usize>(buckets), 0, BUCKETS * sizeof<i32>());
  top = FIRST;
  generation++;
}

function isSame(at: i32, owner: i32, context: i32, classes: i32, instructions: StaticArray<i32>, count: i32): bool {
  if (word(at + OWNER) != owner || word(at + CONTEXT) != context) return false;
  const list = at + TRANSITIONS + classes;
  if (word(list) != count) return false;
  return memory.compare(changetype<usize>(words) + ((list + 1) << 2), changetype<usize>(instructions), count << 2) == 0;
}

function hashOf(owner: i32, context: i32, instructions: StaticArray<i32>, count: i32): i32 {
  let hash = owner * 31 + context;
  for (let i = 0; i < count; i++) hash = (hash ^ unchecked(instructions[i])) * 0x01000193;
  return hash ^ (hash >>> 15);
}
