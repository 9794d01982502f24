// Shows /openapi.json as a reference. Text from the document is only ever set as text.
"use strict";

const VERBS = ["get", "post", "put", "delete"];

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// A line of text with `code` in it.
function inline(text) {
  return text.split(/`([^`]*)`/).map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

// Paragraphs and lists of a comment.
function prose(text = "") {
  return text.split(/\n\n+/).filter(Boolean).map((block) => {
    const lines = block.split("\n");
    const items = lines.filter((line) => line.startsWith("- "));
    const rest = lines.filter((line) => !line.startsWith("- ")).join(" ");
    return make("div", {},
      rest ? make("p", {}, inline(rest)) : null,
      items.length ? make("ul", {}, items.map((item) => make("li", {}, inline(item.slice(2))))) : null);
  });
}

function table(heads, rows) {
  return make("div", {className: "scroll"}, make("table", {},
    make("thead", {}, make("tr", {}, heads.map((head) => make("th", {scope: "col"}, head)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell) => make("td", {}, cell)))))));
}

function nameOf(schema) {
  return schema.$ref ? schema.$ref.split("/").pop() : null;
}

function schemaLink(name) {
  return make("a", {href: `#schema-${name}`}, name);
}

// What a value may be, in short.
function typeOf(schema) {
  if (schema.$ref) return [schemaLink(nameOf(schema))];
  if (schema.anyOf) {
    return schema.anyOf.flatMap((each, index) => [index ? " or " : "", ...typeOf(each)]);
  }
  const types = [schema.type].flat().filter(Boolean);
  const words = types.map((type) => {
    if (type === "array") return ["list of ", ...typeOf(schema.items)];
    if (type === "object" && schema.additionalProperties?.type) {
      return ["map to ", ...typeOf(schema.additionalProperties)];
    }
    return [schema.format === "date-time" && type === "string" ? "time" : type];
  });
  return words.flatMap((word, index) => [index ? " or " : "", ...word]);
}

const LIMITS = [
  ["minimum", (v) => `≥ ${v}`], ["exclusiveMinimum", (v) => `> ${v}`], ["maximum", (v) => `≤ ${v}`],
  ["minLength", (v) => `length ≥ ${v}`], ["maxLength", (v) => `length ≤ ${v}`],
  ["pattern", (v) => `matches ${v}`],
  ["minItems", (v) => `items ≥ ${v}`], ["maxItems", (v) => `items ≤ ${v}`],
];
const WHOLE_TYPE = new Set([-2147483648, 2147483647, 4294967295]);

function limitsOf(schema) {
  const found = LIMITS.filter(([key]) => key in schema && !WHOLE_TYPE.has(schema[key]));
  return found.map(([key, say]) => say(schema[key])).join(", ");
}

function described(schema, text) {
  const limits = limitsOf(schema);
  return [...prose(text), limits ? make("p", {className: "muted"}, limits) : null];
}

function properties(schema) {
  const required = new Set(schema.required ?? []);
  return table(["field", "type", "description"], Object.entries(schema.properties ?? {}).map(
    ([name, field]) => [
      [make("code", {}, name), required.has(name) ? "" : make("span", {className: "muted"}, " optional")],
      typeOf(field), described(field, field.description),
    ]));
}

function examples(content) {
  return Object.values(content.examples ?? {}).map((example) => make("details", {},
    make("summary", {}, `Example: ${example.summary}`),
    make("pre", {}, JSON.stringify(example.value, null, 2))));
}

function requestBody(api, operation) {
  const content = operation.requestBody?.content["application/json"];
  if (!content) return null;
  const schema = api.components.schemas[nameOf(content.schema)];
  return [make("h4", {}, "Body: ", schemaLink(nameOf(content.schema))), properties(schema), examples(content)];
}

function parametersOf(api, operation) {
  const list = (operation.parameters ?? []).map((each) => (each.$ref ? api.components.parameters[nameOf(each)] : each));
  if (!list.length) return null;
  return [make("h4", {}, "Parameters"), table(["name", "in", "type", "description"], list.map((each) => [
    make("code", {}, each.name), each.in, typeOf(each.schema), described(each.schema, each.description)]))];
}

function responsesOf(api, operation) {
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    if (response.$ref) response = api.components.responses[nameOf(response)];
    const [media, content] = Object.entries(response.content)[0];
    const events = content.schema.properties?.data.contentSchema;
    const body = events ? [`${media} of `, ...typeOf(events)] : typeOf(content.schema);
    const lines = response.description.split("\n");
    const error = status >= 400;
    const text = error
      ? [...prose(lines.filter((line) => !line.startsWith("- ")).join(" ")), make("a", {href: `#status-${status}`}, "reasons")]
      : prose(response.description);
    return [status, body, [text, make("p", {className: "muted"}, `headers: ${Object.keys(response.headers).join(", ")}`)].flat()];
  });
  const [success, failures] = [rows.filter((row) => row[0] < 400), rows.filter((row) => row[0] >= 400)];
  return [make("h4", {}, "Response"), table(["status", "body", "description"], success),
    make("details", {}, make("summary", {}, "Errors"), table(["status", "body", "description"], failures))];
}

function credentials(operation) {
  if (!operation.security.length) return "No credentials.";
  const key = operation.security.some((each) => "apiKey" in each);
  return key ? "Credentials: a JWT or an API key." : "Credentials: a JWT. No API key.";
}

function operationSection(api, path, verb, operation) {
  return make("section", {id: operation.operationId},
    make("h3", {}, make("span", {className: `verb ${verb}`}, verb), make("code", {}, path), " ",
      make("span", {className: "muted name"}, operation.operationId)),
    prose(operation.description),
    make("p", {className: "muted"}, credentials(operation)),
    parametersOf(api, operation), requestBody(api, operation), responsesOf(api, operation));
}

function errorsSection(api) {
  const statuses = [...new Set(api["x-error-reasons"].map((each) => each.status))].sort();
  const others = Object.keys(api.components.responses).map(Number).filter((each) => !statuses.includes(each));
  const section = (status) => {
    const reasons = api["x-error-reasons"].filter((each) => each.status === status);
    return [make("h3", {id: `status-${status}`}, String(status)),
      reasons.length
        ? table(["reason", "gRPC", "cause", "remedy"], reasons.map((each) => [
          make("code", {}, each.name), each.code, inline(each.cause), inline(each.remedy)]))
        : prose(api.components.responses[status].description)];
  };
  return make("section", {id: "errors"}, make("h2", {}, "Errors"),
    make("p", {}, "An error has the body ", schemaLink("Error"), ". The reason is in its ", schemaLink("ErrorInfo"), "."),
    [...statuses, ...others].sort((a, b) => a - b).flatMap(section));
}

function schemasSection(api) {
  return make("section", {id: "schemas"}, make("h2", {}, "Schemas"),
    Object.entries(api.components.schemas).flatMap(([name, schema]) => [
      make("h3", {id: `schema-${name}`}, name), prose(schema.description),
      schema.properties ? properties(schema) : null,
      schema.anyOf ? make("p", {}, "One of ", typeOf(schema), ".") : null]));
}

function show(api) {
  const contents = document.getElementById("contents");
  const reference = document.getElementById("reference");
  reference.replaceChildren(
    make("h1", {}, api.info.title), ...prose(api.info.description),
    make("p", {}, `Version ${api.info.version}. The OpenAPI document is `, make("a", {href: "/openapi.json"}, "/openapi.json"), "."),
    make("h4", {}, "Credentials"),
    table(["scheme", "description"], Object.entries(api.components.securitySchemes).map(
      ([name, each]) => [make("code", {}, each.name ? `${each.name}: …` : "Authorization: Bearer …"), each.description])));
  for (const tag of api.tags) {
    const entries = Object.entries(api.paths).flatMap(([path, verbs]) =>
      VERBS.filter((verb) => verbs[verb]?.tags.includes(tag.name)).map((verb) => [path, verb, verbs[verb]]));
    if (!entries.length) continue;
    contents.append(make("strong", {}, tag.name));
    reference.append(make("h2", {}, tag.name), ...prose(tag.description));
    for (const [path, verb, operation] of entries) {
      contents.append(make("a", {href: `#${operation.operationId}`}, operation.operationId));
      reference.append(operationSection(api, path, verb, operation));
    }
  }
  contents.append(make("strong", {}, make("a", {href: "#errors"}, "Errors")), make("strong", {}, make("a", {href: "#schemas"}, "Schemas")));
  reference.append(errorsSection(api), schemasSection(api));
  document.title = api.info.title;
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

fetch("/openapi.json")
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`/openapi.json: ${response.status}`))))
  .then(show)
  .catch((error) => document.getElementById("reference").replaceChildren(`The reference cannot be shown: ${error.message}`));
