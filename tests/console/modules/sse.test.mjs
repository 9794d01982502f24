import assert from "node:assert/strict";
import {test} from "node:test";
import {EventReader} from "../../../server/quantcloud/console/sse.js";

const STREAM = 'id: 7\r\ndata: {"a":1}\r\n\r\n: a comment\ndata: one\ndata: two\n\nid: 8\ndata:three\n\ndata: unfinished\n';
const EVENTS = [{id: "7", data: '{"a":1}'}, {id: "7", data: "one\ntwo"}, {id: "8", data: "three"}];

test("events are the same, wherever a chunk ends", () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const reader = new EventReader();
    const found = [];
    for (let at = 0; at < STREAM.length; at += size) found.push(...reader.read(STREAM.slice(at, at + size)));
    assert.deepEqual(found, EVENTS, `chunks of ${size}`);
  }
});
