// Memory for what the host returns and for views on it: a bump arena, rewound when the outermost callback ends.
//
//    chunk (64 KiB at first)                         a callback that needs more gets a larger chunk, at least twice
//   ┌──────────────┬─────────────────────────┐       as large; when the callback ends the larger one stays and the
//   │ used         │ free                    │       smaller ones are given back, so the arena settles at the size
//   └──────────────┴─────────────────────────┘       the largest callback needs.
//   base           top                  limit

const FIRST_CHUNK: usize = 65536;
const LARGEST: usize = 1 << 28; // what no callback can need; asked for more, the arena answers 0 instead of trapping

const first: usize = memory.data(65536, 16);
let base: usize = first;
let top: usize = first;
let limit: usize = first + FIRST_CHUNK;
/** Chunks outgrown in this callback, linked through their first word; freed at the rewind. */
let outgrown: usize = 0;

/**
 * Returns `size` bytes (8-byte aligned, not zeroed) that stay valid until the outermost callback ends, 0 if there is no
 * such memory.
 */
// @ts-ignore: decorator
@inline
export function allocate(size: usize): usize {
  const at = top;
  const next = at + ((size + 7) & ~7);
  if (next > limit || next < at) return grow(size);
  top = next;
  return at;
}

function grow(size: usize): usize {
  if (size > LARGEST) return 0;
  let capacity = (limit - base) << 1;
  while (capacity < size + 8) capacity <<= 1;
  const chunk = heap.alloc(capacity);
  if (base != first) {
    store<usize>(base, outgrown);
    outgrown = base;
  }
  base = chunk;
  top = chunk + 8 + ((size + 7) & ~7);
  limit = chunk + capacity;
  return chunk + 8;
}

function releaseOutgrown(): void {
  while (outgrown != 0) {
    const next = load<usize>(outgrown);
    heap.free(outgrown);
    outgrown = next;
  }
}

/** Forgets everything allocated since the last rewind. For the SDK's own use. */
// @ts-ignore: decorator
@inline
export function rewind(): void {
  top = base + select<usize>(0, 8, base == first);
  if (outgrown != 0) releaseOutgrown();
}

/** Where the host writes what a call returns: pointer at +0, length at +4, one more number at +8. */
export const out: usize = memory.data(32, 16);
