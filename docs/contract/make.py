#!/usr/bin/python3
"""The contract as OpenAPI and as a page to read, which needs no network: openapi.json and index.html.

    docs/contract/make.py FOLDER REDOC

`make docs` runs it, after buf: FOLDER has the contract's descriptors with comments (contract.json) and, in parts/, the
contract as OpenAPI from protoc-gen-openapiv3, one file for each service. This script joins them and corrects what that
generator cannot know or gets wrong: streams as the edge sends them, errors, tokens, query parameters that are required,
the form of durations, and one path with two names for its variable. REDOC is the JavaScript of Redoc, which shows the
page.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("hail.rider.v1", "hail.driver.v1", "hail.type.v1")
DURATION = {"pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$", "examples": ["3.5s"]}

INTRODUCTION = """
Hail's calls as JSON, through the edge. The same calls as gRPC and gRPC-Web have the same names, messages and errors.

- Fields of a body that are not known are dropped silently. Unknown query parameters are refused.
- 64-bit numbers are strings. Durations are seconds with an `s`, times are RFC 3339.
- Answers have all fields but messages that are not set. A body may leave out any field that is not required.
- Enumerators and fields may be added: skip those that your app does not know.
- All calls may be repeated.

In the repository, `docs/clients.md` has the rules for apps, and `docs/edge.md` the edge's limits and tokens.
"""
LINES = """

**As lines** (the default): each line is one JSON object of the schema below. **As server-sent events** (with
`Accept: text/event-stream`): the `data` of each event is one. HTTP's code is 200 once the stream has begun; an error
after that cuts it."""
EDGE_ERRORS = "The edge has reasons of its own:"

DETAILS = {
    "google.rpc.ErrorInfo": {
        "description": "Whose error it is, and why.",
        "properties": {
            "reason": {"type": "string", "description": "See [Errors](#tag/Errors). New ones may be added.",
                       "examples": ["RIDER_BUSY"]},
            "domain": {"type": "string", "description": "`hail`: an answer of Hail's.", "examples": ["hail"]},
            "metadata": {"type": "object", "additionalProperties": {"type": "string"}}},
        "required": ["reason", "domain"]},
    "google.rpc.BadRequest": {
        "description": "The fields that are wrong.",
        "properties": {"fieldViolations": {"type": "array", "items": {"type": "object", "properties": {
            "field": {"type": "string", "description": "Its path.", "examples": ["pickup.position.latitude_deg"]},
            "description": {"type": "string"}}}}}},
    "google.rpc.RetryInfo": {
        "description": "When to try again.",
        "properties": {"retryDelay": {"type": "string", "description": "No sooner than after this time.", **DURATION}}},
}


def components():
    """What all operations share, besides the messages."""
    schemas = {name: {**detail, "type": "object", "properties": {
        "@type": {"const": f"type.googleapis.com/{name}"}, **detail["properties"]}, "required": [
            "@type", *detail.get("required", ())]} for name, detail in DETAILS.items()}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/google.rpc.Status"}}}
    later = {"headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}, "content": error}
    return {
        "schemas": schemas,
        "responses": {
            "TooFast": {"description": "Too many calls. Repeat the call after the time in Retry-After.", **later},
            "Unavailable": {"description": "No replica can answer now. Repeat the call after the time in Retry-After, if "
                                           "there is one.", **later},
            "Error": {"description": "Any other error; see [Errors](#tag/Errors).", "content": error}},
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                      "description": "A token for the rider or driver: `Authorization: Bearer TOKEN`."},
            "token_in_query": {"type": "apiKey", "in": "query", "name": "access_token",
                               "description": "The same token, for EventSource, which cannot send headers."}},
    }


class Contract:
    """The public files of the contract, as buf writes them, with their comments."""

    def __init__(self, path):
        self.messages, self.methods, self._comments = {}, {}, {}
        for file in json.loads(path.read_text())["file"]:
            package = file["package"]
            if package not in PACKAGES:
                continue
            comments = {tuple(each.get("path", ())): each.get("leadingComments", "")
                        for each in file["sourceCodeInfo"]["location"]}
            for i, message in enumerate(file.get("messageType", ())):
                name = f"{package}.{message['name']}"
                self.messages[name] = message
                for j, field in enumerate(message.get("field", ())):
                    self._comments[f"{name}.{field['name']}"] = comments.get((4, i, 2, j), "")
            for i, service in enumerate(file.get("service", ())):
                for j, method in enumerate(service["method"]):
                    # As the operation is called.
                    name = f"{service['name']}_{method['name']}"
                    self.methods[name] = {**method, "fullName": f"{package}.{service['name']}/{method['name']}"}
                    self._comments[name] = comments.get((6, i, 2, j), "")

    def comment(self, name):
        return re.sub(r"^ ", "", self._comments[name], flags=re.M).strip()

    def fields(self, type_name):
        """Of a message by its name in a descriptor, which has a dot before it. None for a message of others."""
        message = self.messages.get(type_name[1:])
        return message and message.get("field", [])


def join(parts):
    """One document of several."""
    joined = {"openapi": parts[0]["openapi"], "tags": [], "paths": {}, "components": components()}
    for part in parts:
        joined["tags"] += part.get("tags", [])
        for path, operations in part["paths"].items():
            # A path with a field of the body in it is the same path as the one with the field's own name.
            plain = re.sub(r"\{\w+\.(\w+)\}", r"{\1}", path)
            for operation in operations.values():
                for parameter in operation.get("parameters", ()):
                    if parameter["in"] == "path":
                        parameter["name"] = parameter["name"].rpartition(".")[2]
            joined["paths"].setdefault(plain, {}).update(operations)
        joined["components"]["schemas"].update(part["components"]["schemas"])
    return joined


def correct_operation(operation, contract):
    method = contract.methods[operation["operationId"]]
    operation["summary"] = method["name"]
    operation["description"] = contract.comment(operation["operationId"])
    ok = operation["responses"]["200"]
    operation["responses"] = {
        "200": ok, "429": {"$ref": "#/components/responses/TooFast"},
        "503": {"$ref": "#/components/responses/Unavailable"}, "default": {"$ref": "#/components/responses/Error"}}
    if method.get("serverStreaming"):
        operation["description"] += LINES
        operation["security"] = [{"token": []}, {"token_in_query": []}]
        item = {"schema": {"$ref": f"#/components/schemas/{method['outputType'][1:]}"}}
        ok["description"] = "A stream of these objects."
        ok["content"] = {"application/json": item, "text/event-stream": item}
    required = {field["jsonName"] for field in contract.fields(method["inputType"])
                if "REQUIRED" in field.get("options", {}).get("[google.api.field_behavior]", ())}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and parameter["name"].split(".")[0] in required:
            parameter["required"] = True


def correct_messages(schemas, contract):
    for name, message in contract.messages.items():
        for field in message.get("field", ()):
            if name in schemas and field.get("typeName") == ".google.protobuf.Duration":
                schemas[name]["properties"][field["jsonName"]].update(DURATION)
    status = schemas["google.rpc.Status"]
    status["description"] = "An error."
    status["properties"]["details"]["items"] = {"anyOf": [
        *({"$ref": f"#/components/schemas/{name}"} for name in DETAILS),
        {"type": "object", "title": "Others", "properties": {"@type": {"type": "string"}}, "required": ["@type"]}]}


def table(contract, type_name):
    """A message as a table in Markdown."""
    lines = [f"**{type_name[1:]}**", "", "| field | type | |", "|---|---|---|"]
    for field in contract.fields(type_name):
        kind = field["typeName"][1:] if "typeName" in field else field["type"].removeprefix("TYPE_").lower()
        repeated = "repeated " if field["label"] == "LABEL_REPEATED" else ""
        comment = " ".join(contract.comment(f"{type_name[1:]}.{field['name']}").split())
        lines.append(f"| `{field['name']}` | {repeated}{kind} | {comment} |")
    return "\n".join(lines)


def streams_in_both_directions(contract):
    """The calls that JSON and gRPC-Web lack, in Markdown."""
    parts = ["gRPC only: neither JSON nor gRPC-Web has them. `WatchRide`, `WatchDriver` and the other calls do the same."]
    for operation, method in contract.methods.items():
        if not method.get("clientStreaming"):
            continue
        sent = method["inputType"]
        # With the messages of its fields, which are no schemas if only a stream sends them.
        types = dict.fromkeys([sent, *(field["typeName"] for field in contract.fields(sent) if "typeName" in field)])
        parts += [f"## {method['name']}", f"`{method['fullName']}`", contract.comment(operation), "The app sends:"]
        parts += [table(contract, each) for each in types if contract.fields(each)]
        parts += ["The service sends:", table(contract, method["outputType"])]
    return "\n\n".join(parts)


def errors():
    """The pages on errors, as far as they concern JSON."""
    page = (ROOT / "docs/errors.md").read_text()
    head = page.split("\n", 1)[1].split("The edge has")[0]
    reasons = re.search(r"\n(\| reason .*?)\n\n", page, re.S)[1]
    edge = re.search(r"\n(\| reason .*?)\n\n", (ROOT / "docs/edge.md").read_text(), re.S)[1]
    text = "\n\n".join((head.strip(), reasons, EDGE_ERRORS, edge))
    # The page is not where the documents are.
    return re.sub(r"\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", text)


def openapi(folder):
    contract = Contract(folder / "contract.json")
    # Riders first.
    parts = sorted((folder / "parts").rglob("*.json"), reverse=True)
    document = join([json.loads(part.read_text()) for part in parts])
    for operations in document["paths"].values():
        for operation in operations.values():
            correct_operation(operation, contract)
    correct_messages(document["components"]["schemas"], contract)
    document["info"] = {"title": "Hail", "version": "v1", "description": INTRODUCTION.strip()}
    document["servers"] = [{"url": "https://localhost:8443"}, {"url": "http://localhost:8080"}]
    document["security"] = [{"token": []}]
    calls = [tag["name"] for tag in document["tags"]]
    for name, text in (("Streams in both directions", streams_in_both_directions(contract)), ("Errors", errors())):
        # Redoc shows such a tag as a chapter.
        document["tags"].append({"name": name, "description": text, "x-traitTag": True})
    document["x-tagGroups"] = [
        {"name": "Calls", "tags": calls}, {"name": "More", "tags": ["Streams in both directions", "Errors"]}]
    return document


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';
  img-src data:; worker-src blob:">
<title>Hail</title>
<style>
  body { margin: 0 }
  /* A picture of Redoc's from the network, which the policy above forbids. */
  img[src^="https:"] { display: none }
</style>
</head>
<body>
<div id="page"></div>
<!-- Redoc, MIT licence: https://github.com/Redocly/redoc -->
<script>%s</script>
<script>Redoc.init(%s, %s, document.getElementById("page"))</script>
</body>
</html>
"""
OPTIONS = {"expandResponses": "200", "hideDownloadButton": True, "theme": {"typography": {
    "fontFamily": "system-ui, sans-serif", "headings": {"fontFamily": "system-ui, sans-serif"}}}}


def page(document, redoc):
    # Neither text may end the element around it, nor begin a comment there.
    return PAGE % (re.sub(r"<(?=/script)|<(?=!--)", r"<\\", redoc),
                   json.dumps(document).replace("<", "\\u003c"), json.dumps(OPTIONS))


def main():
    folder, redoc = (pathlib.Path(word) for word in sys.argv[1:])
    document = openapi(folder)
    (folder / "openapi.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    (folder / "index.html").write_text(page(document, redoc.read_text()))
    print(f"docs: {folder}/index.html and {folder}/openapi.json, {len(document['paths'])} paths")


if __name__ == "__main__":
    main()
