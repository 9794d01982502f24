// Splits OpenQASM into tokens for colours. It checks nothing: the server does.

const KEYWORDS = new Set((
  "OPENQASM include qreg creg qubit bit gate opaque if else for while in def return measure reset barrier "
  + "delay const let input output int uint float angle bool complex duration box switch case default break "
  + "continue end ctrl negctrl inv pow extern cal defcal"
).split(" "));
const GATES = new Set((
  "U CX u u0 u1 u2 u3 p r rx ry rz id x y z h s sdg sx sxdg t tdg cx cy cz ch cs csdg csx swap iswap dcx ecr cp "
  + "cu cu1 cu3 crx cry crz rxx ryy rzz rzx ccx ccz cswap rccx rc3x c3x c3sqrtx c4x gphase"
).split(" "));
const TOKEN = /(\/\/.*)|(\/\*.*?(?:\*\/|$))|("[^"]*"?)|(\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)|([A-Za-z_π][\w]*)|(\s+|.)/gu;

/** @typedef {{kind: string, text: string}} Token `kind` is "" for plain text. */

/**
 * Returns the tokens of a line, and whether a comment goes on after it.
 * @param {string} line
 * @param {boolean} inComment
 * @returns {{tokens: Token[], inComment: boolean}}
 */
export function tokens(line, inComment) {
  /** @type {Token[]} */
  const found = [];
  let rest = line;
  if (inComment) {
    const end = line.indexOf("*/");
    if (end < 0) return {tokens: [{kind: "comment", text: line}], inComment: true};
    found.push({kind: "comment", text: line.slice(0, end + 2)});
    rest = line.slice(end + 2);
  }
  let open = false;
  for (const [text, remark, block, string, digits, word] of rest.matchAll(TOKEN)) {
    open = block !== undefined && (!block.endsWith("*/") || block.length < 4);
    const kind = remark !== undefined || block !== undefined ? "comment" : string !== undefined ? "string"
      : digits !== undefined ? "digits" : word === undefined ? ""
      : KEYWORDS.has(word) ? "keyword" : GATES.has(word) ? "gate" : word === "pi" || word === "π" ? "digits" : "";
    const previous = found[found.length - 1];
    if (previous && previous.kind === kind) previous.text += text;
    else found.push({kind, text});
  }
  return {tokens: found, inComment: open};
}
