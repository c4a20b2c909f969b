import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadPolicy, type PolicyModule } from "./testing/load.ts";

let policy: PolicyModule;
beforeAll(async () => {
  policy = await loadPolicy();
}, 60_000);

const SECOND = 1_000_000_000n;

describe("token bucket", () => {
  it("admits the burst, then one per step, and says how long to wait", () => {
    policy.bucketStart(10n, SECOND, 20n, 1);
    const now = 5n * SECOND;
    let admitted = 0;
    while (policy.bucketAdmit(0, now, 1n)) admitted++;
    expect(admitted).toBe(20);
    expect(policy.bucketWait(now, 1n)).toBe(100_000_000n);
    expect(policy.bucketAdmit(0, now + 99_999_999n, 1n)).toBe(false);
    expect(policy.bucketAdmit(0, now + 100_000_000n, 1n)).toBe(true);
    expect(policy.bucketWait(now, 21n)).toBe(-1n);
    policy.bucketReturn(now + 100_000_000n, 3n);
    expect(policy.bucketLeft(now + 100_000_000n)).toBe(3n);
  });

  it("keeps its state when the limit changes", () => {
    policy.bucketStart(100n, 60n * SECOND, 100n, 1);
    const now = 1000n * SECOND;
    while (policy.bucketAdmit(0, now, 1n));
    policy.bucketChange(200n, 60n * SECOND, 200n, now);
    expect(policy.bucketLeft(now)).toBe(100n); // what it is larger by
    while (policy.bucketAdmit(0, now, 1n));
    policy.bucketChange(10n, SECOND, 1n, now);
    expect(policy.bucketAdmit(0, now, 1n)).toBe(false);
    expect(policy.bucketAdmit(0, now + SECOND, 1n)).toBe(true);
  });

  it("has as many tokens missing after a change as before, at most all", () => {
    const number = fc.integer({ min: 1, max: 10_000 });
    fc.assert(
      fc.property(
        number,
        number,
        number,
        number,
        number,
        number,
        (tokens, burst, taken, tokensAfter, burstAfter, seconds) => {
          const now = 1000n * SECOND;
          policy.bucketStart(BigInt(tokens), SECOND, BigInt(burst), 1);
          let left = BigInt(burst);
          if (taken <= burst && policy.bucketAdmit(0, now, BigInt(taken))) left = policy.bucketLeft(now);
          policy.bucketChange(BigInt(tokensAfter), BigInt(seconds) * SECOND, BigInt(burstAfter), now);
          const expected = BigInt(burstAfter) - (BigInt(burst) - left);
          const got = policy.bucketLeft(now);
          expect(got).toBeLessThanOrEqual(expected < 0n ? 0n : expected);
          expect(got).toBeGreaterThanOrEqual((expected < 0n ? 0n : expected) - 1n); // rounding never gives tokens away
        },
      ),
    );
  });

  it("knows a step again from 16 bits, to a thousandth", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 59n }), (step) => {
        const coded = policy.stepCoded(step);
        expect(Math.abs(Number(coded - step)) / Number(step)).toBeLessThan(0.001);
      }),
    );
  });

  it.each<[bigint, bigint, bigint, boolean]>([
    [1n, 1n, 1n, true],
    [0n, 1n, 1n, false],
    [1n, 0n, 1n, false],
    [1n, 1n, 0n, false],
    [1n, 366n * 86_400n * SECOND, 1n, false],
    [1n, 86_400n * SECOND, 365n, true],
    [1n, 86_400n * SECOND, 366n, false],
    [9_000_000_000_000_000_000n, 1n, 1n, true],
  ])("%s tokens per %s ns, burst %s: usable %s", (tokens, interval, burst, expected) => {
    expect(policy.rateFits(tokens, interval, burst)).toBe(expected);
  });

  it("never admits more than burst + rate × time in any window, over any number of workers", () => {
    const arrival = fc.record({
      worker: fc.nat({ max: 3 }),
      gapNs: fc.oneof(fc.nat({ max: 1000 }), fc.nat({ max: 50_000_000 }), fc.nat({ max: 2_000_000_000 })),
      times: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 400 }),
        fc.array(arrival, { minLength: 1, maxLength: 60 }),
        (tokens, burst, arrivals) => {
          policy.bucketStart(BigInt(tokens), SECOND, BigInt(burst), 4);
          let now = 7n * SECOND;
          // the least of (admitted so far - regained so far): what any later window is measured against
          const admittedAt: { at: bigint; count: number }[] = [];
          for (const { worker, gapNs, times } of arrivals) {
            now += BigInt(gapNs);
            let count = 0;
            for (let i = 0; i < times; i++) if (policy.bucketAdmit(worker, now, 1n)) count++;
            admittedAt.push({ at: now, count });
          }
          for (let from = 0; from < admittedAt.length; from++) {
            let sum = 0;
            for (let to = from; to < admittedAt.length; to++) {
              sum += (admittedAt[to] as { count: number }).count;
              const elapsed =
                Number((admittedAt[to] as { at: bigint }).at - (admittedAt[from] as { at: bigint }).at) / 1e9;
              expect(sum).toBeLessThanOrEqual(burst + elapsed * tokens + 1e-6);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("under steady overload admits at least 98 % of the limit, leases or not", () => {
    for (const workers of [1, 2, 4]) {
      policy.bucketStart(100n, SECOND, 100n, workers);
      let now = SECOND;
      let admitted = 0;
      for (let i = 0; i < 20_000; i++) {
        now += 1_000_000n; // 1,000/s for 20 s
        if (policy.bucketAdmit(i % workers, now, 1n)) admitted++;
      }
      expect(admitted).toBeGreaterThanOrEqual(0.98 * (100 + 20 * 100));
      expect(admitted).toBeLessThanOrEqual(100 + 20 * 100);
    }
  });

  it("leases what 5 ms regain while there is plenty, and always keeps a share of a large bucket", () => {
    policy.bucketStart(10_000n, SECOND, 10_000n, 1);
    policy.bucketAdmit(0, SECOND, 1n);
    expect(policy.bucketReserve(0, SECOND)).toBe(49n + 19n);
    // the bucket was full: what is held fades as it refills
    expect(policy.bucketReserve(0, SECOND + 5_000_000n)).toBe(18n);
    while (policy.bucketLeft(SECOND) > 100n) policy.bucketAdmit(0, SECOND, 1n);
    expect(policy.bucketReserve(0, SECOND)).toBe(19n);
    policy.bucketStart(10n, SECOND, 10n, 1);
    policy.bucketAdmit(0, SECOND, 1n);
    expect(policy.bucketReserve(0, SECOND)).toBe(0n);
  });
});

describe("slots", () => {
  const claimer = (size: number) => {
    let slot: Uint8Array = new Uint8Array(256);
    let used = size;
    return {
      /** Claims an entry; answers its place, with "!" when a bucket in use was forgotten. */
      claim: (key: number, now: bigint): string => {
        const { outcome, slot: after } = policy.slotClaim(slot, used, BigInt(key) << 16n, now);
        slot = after;
        const at = outcome % 1000;
        used = Math.max(used, at + 16);
        return `${at / 16}${outcome >= 1000 ? "!" : ""}`;
      },
      setFullAt: (entry: number, value: bigint): void =>
        new DataView(slot.buffer, slot.byteOffset).setBigInt64(entry * 16 + 8, value, true),
    };
  };

  it("gives a key its entry back, takes over one that is full, grows else", () => {
    const { claim, setFullAt } = claimer(0);
    expect(claim(7, 100n)).toBe("0");
    setFullAt(0, 500n);
    expect(claim(8, 100n)).toBe("1");
    setFullAt(1, 300n);
    expect(claim(7, 100n)).toBe("0");
    expect(claim(8, 100n)).toBe("1");
    expect(claim(9, 400n)).toBe("1"); // 8's bucket was full by then
  });

  it("forgets, when there is no room, the bucket that will be full soonest", () => {
    const { claim, setFullAt } = claimer(0);
    for (let i = 0; i < 16; i++) {
      expect(claim(i + 1, 100n)).toBe(String(i));
      setFullAt(i, 1000n - BigInt(i));
    }
    expect(claim(99, 100n)).toBe("15!");
    expect(claim(99, 100n)).toBe("15");
  });
});
