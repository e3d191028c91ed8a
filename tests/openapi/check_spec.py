"""Is the specification one, and are its examples what its own schemas say? Run by the environment that fetch makes:

    python check_spec.py OPENAPI.YAML

Prints how many examples were checked; exit status 1 and the places of those that are wrong.
"""

import sys

import jsonschema
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

URI = "urn:openapi"


def pointer(path):
    """PATH as a reference into the specification."""
    return f"{URI}#/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in path)


def places_with_examples(node, path=()):
    """Media types, headers and parameters: what has a schema and examples of it."""
    if isinstance(node, dict):
        if "schema" in node and ("examples" in node or "example" in node):
            yield path, node
        for key, value in node.items():
            yield from places_with_examples(value, (*path, key))


def resolved(spec, example):
    reference = example.get("$ref") if isinstance(example, dict) else None
    if reference is None:
        return example
    for part in reference.removeprefix("#/").split("/"):
        spec = spec[part]
    return spec


def examples_of(spec, node):
    if "example" in node:
        yield "example", node["example"]
    for name, example in node.get("examples", {}).items():
        yield name, resolved(spec, example)["value"]


def problems_of(spec):
    """A line for each example, empty where it fits."""
    registry = Registry().with_resource(URI, Resource(spec, DRAFT202012))
    for path, node in places_with_examples(spec):
        validator = jsonschema.Draft202012Validator(
            {"$ref": pointer((*path, "schema"))}, registry=registry, format_checker=jsonschema.FormatChecker())
        for name, value in examples_of(spec, node):
            wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
            yield f"{pointer(path)}, {name}: {'; '.join(wrong)}" if wrong else ""


def main(path):
    with open(path) as file:
        spec = yaml.safe_load(file)
    OpenAPIV31SpecValidator(spec).validate()
    checked = list(problems_of(spec))
    wrong = [line for line in checked if line]
    print(*wrong, f"{len(checked)} examples, {len(wrong)} wrong", sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
