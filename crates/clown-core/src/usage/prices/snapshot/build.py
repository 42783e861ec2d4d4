#!/usr/bin/env python3
"""Makes models.json, the prices that are built in, of LiteLLM's public table.

    build.py VERSION=FILE [VERSION=FILE ...] > models.json

FILE is a wheel of the Python package `litellm`, or the table itself. The first one counts; what
later ones have beside it is added, because the table forgets models that are no longer sold, and
what they were used for is still to be priced.

What comes out is LiteLLM's format, in the order of the names' bytes and with one model a line, so
that a change can be read and a line be found without reading the others. It can also be an artifact
of a registry. Of a model there is what a price of text depends on, and no more.
"""

import json
import re
import sys
import zipfile

TABLE = "litellm/model_prices_and_context_window_backup.json"
MODES = ("chat", "responses", "completion")
KINDS = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_creation_input_token_cost",
    "cache_read_input_token_cost",
)
OLD_KINDS = ("input_cost_per_token_cache_hit",)
PRICE = re.compile(
    "(%s)(_above_1hr)?(_above_[0-9]+k?_tokens)?(_priority)?" % "|".join(KINDS)
)
# Providers of whom something is known that is not in their entries.
PROVIDERS = ("anthropic", "xai")


def table(path):
    if path.endswith(".whl"):
        with zipfile.ZipFile(path) as wheel:
            return json.loads(wheel.read(TABLE))
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def is_price(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def shorter(value):
    """1e-6 rather than 1e-06, 0 rather than 0.0, and no digits that are only a float's noise."""
    text = "%.12g" % value
    text = re.sub(r"e([+-])0+", r"e\1", text)
    return "0" if float(text) == 0 else text


def prices_of(entry):
    return {
        key: value
        for key, value in entry.items()
        if (PRICE.fullmatch(key) or key in OLD_KINDS) and is_price(value)
    }


def trimmed(name, entry):
    """What is kept of an entry; None where there is no price of tokens."""
    if name == "sample_spec" or not isinstance(entry, dict):
        return None
    if isinstance(entry.get("alias_of"), str):
        return {"alias_of": entry["alias_of"]}
    if entry.get("mode") not in MODES:
        return None
    kept = prices_of(entry)
    tiers = [
        dict(prices_of(tier), range=tier["range"])
        for tier in entry.get("tiered_pricing") or []
        if isinstance(tier.get("range"), list) and "input_cost_per_token" in tier
    ]
    if tiers:
        kept["tiered_pricing"] = tiers
    if not tiers and "input_cost_per_token" not in kept:
        return None
    if "cache_read_input_token_cost" in kept:
        kept.pop("input_cost_per_token_cache_hit", None)
    fast = (entry.get("provider_specific_entry") or {}).get("fast")
    if is_price(fast):
        kept["provider_specific_entry"] = {"fast": fast}
    if entry.get("litellm_provider") in PROVIDERS:
        kept["litellm_provider"] = entry["litellm_provider"]
    return kept


def written(value):
    if isinstance(value, dict):
        return "{%s}" % ",".join(
            "%s:%s" % (json.dumps(key), written(value[key])) for key in sorted(value)
        )
    if isinstance(value, list):
        return "[%s]" % ",".join(map(written, value))
    if isinstance(value, (int, float)):
        return shorter(value)
    return json.dumps(value)


def main(arguments):
    if not arguments or not all("=" in argument for argument in arguments):
        sys.exit(__doc__)
    models = {}
    versions = []
    for argument in arguments:
        version, path = argument.split("=", 1)
        versions.append(version)
        for name, entry in table(path).items():
            kept = trimmed(name, entry)
            if kept is not None:
                models.setdefault(name, kept)
    # Sorts before every model, and is none: it has no price.
    models["#"] = {"litellm": versions}
    lines = [
        "%s:%s" % (json.dumps(name), written(models[name]))
        for name in sorted(models, key=lambda name: name.encode())
    ]
    sys.stdout.write("{\n%s\n}\n" % ",\n".join(lines))


main(sys.argv[1:])
