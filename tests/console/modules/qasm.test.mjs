import assert from "node:assert/strict";
import {test} from "node:test";
import {EXAMPLES} from "../../../server/quantcloud/console/examples.js";
import {tokens} from "../../../server/quantcloud/console/qasm.js";

test("tokens are all of a line, and no more", () => {
  for (const line of [...EXAMPLES.flatMap(({qasm}) => qasm.split("\n")), "😀 // x", 'include "a', "/* a */ h q; /*", "1e", "$ ∂ \t"]) {
    for (const before of [false, true]) {
      assert.equal(tokens(line, before).tokens.map(({text}) => text).join(""), line);
    }
  }
});

test("a comment goes on until it is closed", () => {
  assert.equal(tokens("h q; /* one", false).inComment, true);
  assert.deepEqual(tokens("two */ cx a, b;", true), {
    tokens: [{kind: "comment", text: "two */"}, {kind: "", text: " "}, {kind: "gate", text: "cx"}, {kind: "", text: " a, b;"}], inComment: false,
  });
  assert.equal(tokens("/*/", false).inComment, true);
});
