"""``croissant.json``: the dataset described for machines (Croissant 1.0, mlcommons.org)."""

import hashlib
import json

from batchgen.dataset.folder import write_whole
from batchgen.dataset.views.view import View
from batchgen.text import counted

_TYPES = {"bool": "sc:Boolean", "int": "sc:Integer", "float": "sc:Float", "text": "sc:Text"}
# As mlcroissant 1.1 writes it; readers warn of anything that is missing.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def write_croissant(view: View, name: str) -> None:
    """Describe ``metadata.jsonl`` as it is now. Raises StorageError.

    Without images there is no such file, and nothing to describe: a description that was there
    goes too.
    """
    path = view.folder.root / "croissant.json"
    if not view.count:
        path.unlink(missing_ok=True)
        return
    with view.folder.metadata.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": name,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "description": (
            f"{counted(view.count, 'synthetic image')} of {counted(view.prompts, 'prompt')}."
        ),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "metadata",
                "name": "metadata.jsonl",
                "contentUrl": "metadata.jsonl",
                "encodingFormat": "application/jsonlines",
                "sha256": sha256,
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "images",
                "field": [_field(column.name, _TYPES[column.kind]) for column in view.columns],
            }
        ],
    }
    write_whole(path, [json.dumps(described, indent=1) + "\n"])


def _field(name: str, kind: str) -> dict[str, object]:
    return {
        "@type": "cr:Field",
        "@id": f"images/{name}",
        "name": name,
        "dataType": kind,
        "source": {"fileObject": {"@id": "metadata"}, "extract": {"column": name}},
    }
