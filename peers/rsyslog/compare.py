"""Says what is wrong with the documents that arrived: compare.py ARRIVED ADDED
FILE... . Each line of the files must be there once, with the fields it had and
those that the shipper adds (ADDED, separated by commas), and each field be one of
the index template, of its type. A document may nest what a line writes with dots:
to Elasticsearch both are one. Prints how many there are and exits 0, or prints
the first few faults and exits 1."""

import collections
import datetime
import ipaddress
import json
import os
import sys

here = os.path.dirname(__file__)
with open(os.path.join(here, "../../deploy/logs/index-template.json")) as f:
    types = {name: of["type"] for name, of in json.load(f)["template"]["mappings"]["properties"].items()}

fits = {
    "boolean": lambda v: isinstance(v, bool),
    "date": lambda v: datetime.datetime.fromisoformat(v) is not None,
    "ip": lambda v: ipaddress.ip_address(v) is not None,
    "long": lambda v: isinstance(v, int) and not isinstance(v, bool),
}


def flat(value, name=""):
    if not isinstance(value, dict):
        yield name, value
        return
    for key, v in value.items():
        yield from flat(v, f"{name}.{key}" if name else key)


def fault(name, value):
    if name not in types:
        return f"{name} is not in the index template"
    try:
        good = fits.get(types[name], lambda v: isinstance(v, str))(value)
    except (ValueError, TypeError):
        good = False
    return None if good else f"{name} is no {types[name]}: {value!r}"


def canonical(fields):
    """Fields as text. Filebeat leaves zeros at the end of a time away."""
    return json.dumps({k: moment(v) if types.get(k) == "date" else v for k, v in fields.items()}, sort_keys=True)


def moment(text):
    try:
        return datetime.datetime.fromisoformat(text).isoformat(timespec="microseconds")
    except (ValueError, TypeError):
        return text  # a fault, which is told of


def main(arrived, added, files):
    added = set(added.split(",")) - {""}
    faults, got, want = [], collections.Counter(), collections.Counter()
    with open(arrived) as f:
        for line in f:
            fields = dict(flat(json.loads(line)))
            faults += [x for x in (fault(*f) for f in fields.items()) if x]
            if missing := added - fields.keys():
                faults.append(f"without {missing}: {line}")
            got[canonical({k: v for k, v in fields.items() if k not in added})] += 1
    for file in files:
        with open(file, "rb") as f:
            for line in f:
                if not line.startswith(b"\0"):  # what fills a file up
                    want[canonical(dict(flat(json.loads(line))))] += 1
    faults += [f"{n} missing: {line}" for line, n in (want - got).items()]
    faults += [f"{n} too many: {line}" for line, n in (got - want).items()]
    print("\n".join(faults[:6]) if faults else want.total())
    return 1 if faults else 0


sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
