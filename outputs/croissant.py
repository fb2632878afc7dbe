"""`croissant.json` beside the card: what the files are, with hashes, for programs that look for datasets.

Croissant 1.1 of MLCommons, with the responsible-AI properties, as dataset hubs write it: a file object with its hash
for every file, a file set and a record set for every config. List columns of structs are fields with sub-fields, read
out of their column by JSON path.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from outputs.card import DataFile
from outputs.configs import Config, config, limits
from outputs.files import write_text
from outputs.licences import Source, url_of
from outputs.manifest import Manifest

FORMAT = "application/x-parquet"
COLLECTION = (
    "For each dialogue a program sampled a scenario and decided turn by turn who acts and with which intent; a "
    "language model put it into words; code checked the words."
)
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
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
_TYPES: Mapping[pa.DataType, str] = {
    pa.string(): "sc:Text",
    pa.bool_(): "sc:Boolean",
    pa.int32(): "cr:Int32",
    pa.int64(): "cr:Int64",
    pa.float64(): "cr:Float64",
}


def write_croissant(
    run_dir: Path, manifest: Manifest, configs: Mapping[str, Sequence[DataFile]], without: Collection[str] = ()
) -> None:
    """`croissant.json`; `configs` and `without` as in the card. Reads every file once, for its hash."""
    found = metadata(run_dir, manifest, configs, without)
    text = orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_text(run_dir / "croissant.json", text.decode())


def metadata(
    run_dir: Path, manifest: Manifest, configs: Mapping[str, Sequence[DataFile]], without: Collection[str] = ()
) -> dict[str, Any]:
    paths = [p for files in configs.values() for f in files for p in sorted(run_dir.glob(f.glob))]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": manifest.recipe,
        "alternateName": manifest.title,
        "description": f"{manifest.accepted} simulated dialogues ({', '.join(manifest.families)}), made to teach a "
        "language model to take the initiative. Both sides were played by a language model.",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "license": url_of(manifest.terms.licence) or manifest.terms.licence,
        "version": f"{manifest.table_version}.0.0",
        **({"datePublished": manifest.finished} if manifest.finished else {}),
        "inLanguage": "en",
        "keywords": ["dialogue", "synthetic", "proactive", *manifest.families],
        "citeAs": _bibtex(manifest),
        "isBasedOn": [_work(source) for source in manifest.sources],
        "rai:dataCollection": COLLECTION,
        "rai:dataCollectionType": ["Synthetic"],
        "rai:dataLimitations": limits(manifest),
        "distribution": [*(_file_object(run_dir, p) for p in paths), *(_file_set(c, f) for c, f in configs.items())],
        "recordSet": [_record_set(config(name, without)) for name in configs],
    }


def _bibtex(manifest: Manifest) -> str:
    year = manifest.finished[:4]
    made = f"Made with Overture {manifest.versions.get('overture', '')}".strip()
    dated = f" year = {{{year}}}," if year else ""
    return f"@misc{{{manifest.recipe}, title = {{{manifest.title}}},{dated} note = {{{made}}}}}"


def _work(source: Source) -> dict[str, str]:
    place = "url" if "://" in source.origin else "identifier"
    known = {"version": source.version, "license": source.licence, "abstract": source.use, place: source.origin}
    return {"@type": "sc:CreativeWork", "name": source.name, **{k: v for k, v in known.items() if v}}


def _file_object(run_dir: Path, path: Path) -> dict[str, str]:
    name = path.relative_to(run_dir).as_posix()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": FORMAT,
        "sha256": digest,
    }


def _file_set(name: str, files: Iterable[DataFile]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{name}-files",
        "name": f"{name}-files",
        "encodingFormat": FORMAT,
        "includes": [f.glob for f in files],
    }


def _record_set(found: Config) -> dict[str, Any]:
    meaning = {c.name: c.meaning for c in found.columns}
    fields = [_field(found.name, field.name, field.type, (), meaning) for field in found.schema]
    return {
        "@type": "cr:RecordSet",
        "@id": found.name,
        "name": found.name,
        "description": f"{found.row} {found.limits}",
        "field": fields,
    }


def _field(
    config: str, column: str, kind: pa.DataType, path: tuple[str, ...], meaning: Mapping[str, str]
) -> dict[str, Any]:
    """`path`: of the sub-field inside the column."""
    lists = 0
    while pa.types.is_list(kind):
        kind, lists = kind.value_type, lists + 1
    name = "/".join((config, column, *path))
    told = meaning.get(".".join((column, *path)))
    field: dict[str, Any] = {"@type": "cr:Field", "@id": name, "name": name}
    if told:
        field["description"] = told
    if lists:
        field |= {"isArray": True, "arrayShape": ",".join(["-1"] * lists)}
    if pa.types.is_struct(kind):
        return field | {"subField": [_field(config, column, c.type, (*path, c.name), meaning) for c in kind]}
    source: dict[str, Any] = {"fileSet": {"@id": f"{config}-files"}, "extract": {"column": column}}
    if path:
        source["transform"] = [{"jsonPath": step} for step in path]
    return field | {"dataType": _TYPES[kind], "source": source}
