import { describe, expect, it } from "vitest";
import { encodeNoAnswer, questionName } from "./dns-message.ts";

const question = Buffer.concat([
  Buffer.from("beef01000001000000000000", "hex"),
  Buffer.from("\x07Reviews\x07default\x00\x00\x01\x00\x01", "latin1"),
]);

describe("questionName", () => {
  it("reads the name, whatever its case", () => {
    expect(questionName(question)).toBe("reviews.default");
  });
  it("is content with nonsense", () => {
    for (let length = 0; length < question.length - 5; length++)
      expect(questionName(question.subarray(0, length))).toBeUndefined();
    expect(questionName(Buffer.alloc(40, 0xc0))).toBeUndefined();
  });
});

describe("encodeNoAnswer", () => {
  it("repeats the question, and says that there is no such name", () => {
    const reply = encodeNoAnswer(question, "NXDOMAIN");
    expect(reply.subarray(0, 4).toString("hex")).toBe("beef8183");
    expect(reply.subarray(4)).toEqual(question.subarray(4));
    expect((encodeNoAnswer(question, "SERVFAIL")[3] ?? 0) & 15).toBe(2);
  });
});
