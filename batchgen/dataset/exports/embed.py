"""Provenance inside a picture, added without touching a pixel.

``parameters`` is the text that common tools for generated images read (AUTOMATIC1111's): in a PNG a
text of that name, in JPEG and WebP the EXIF UserComment. XMP says by IPTC's DigitalSourceType that
a trained model made it. What a file has of either kind already is left alone.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import quoteattr

from batchgen.dataset.files.picture import look_at

_MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType={made} Iptc4xmpExt:AISystemUsed={model}/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
_PNG_XMP = b"XML:com.adobe.xmp"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_EXIF = b"Exif\0\0"
_MOST = 65_533  # bytes in a segment of a JPEG; a longer text is left out


def embed(data: bytes, row: Mapping[str, object]) -> bytes:
    """The picture *data* with what *row* of the manifest says of it.

    Raises PictureError when it is no whole PNG, JPEG or WebP.
    """
    look_at(memoryview(data))
    text = parameters(row)
    xmp = _XMP.format(made=quoteattr(_MADE), model=quoteattr(str(row.get("model")))).encode()
    if data.startswith(b"\x89PNG"):
        return _in_png(data, text, xmp)
    if data.startswith(b"\xff\xd8"):
        return _in_jpeg(data, text, xmp)
    return _in_webp(data, text, xmp)


def parameters(row: Mapping[str, object]) -> str:
    """The text for *row*: the prompt, what it is not to show, and the settings on one line."""
    lines = [str(row.get("prompt") or "")]
    if row.get("negative_prompt"):
        lines.append(f"Negative prompt: {row['negative_prompt']}")
    size = f"{row.get('width')}x{row.get('height')}"
    known = {"Seed": row.get("seed"), "Size": size, "Model": row.get("model")}
    lines.append(
        ", ".join(f"{name}: {value}" for name, value in known.items() if value is not None)
    )
    return "\n".join(lines)


def _in_png(data: bytes, text: str, xmp: bytes) -> bytes:
    """Behind the header, where readers find it before the pixels."""
    names = {body.split(b"\0", 1)[0] for kind, body in _chunks(data) if kind in {b"tEXt", b"iTXt"}}
    added = b""
    if b"parameters" not in names:
        added += _international(b"parameters", text.replace("\0", "").encode("utf-8", "replace"))
    if _PNG_XMP not in names:
        added += _international(_PNG_XMP, xmp)
    end = 8 + 25  # the signature, and a header of 13 bytes
    return data[:end] + added + data[end:]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + min(length, 100)]
        at += 12 + length


def _international(name: bytes, text: bytes) -> bytes:
    body = name + b"\0\0\0\0\0" + text  # not compressed, in no language, without a translated name
    return struct.pack(">I4s", len(body), b"iTXt") + body + _checksum(b"iTXt" + body)


def _checksum(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def _in_jpeg(data: bytes, text: str, xmp: bytes) -> bytes:
    """Behind the first segment if that is JFIF's, which has to be the first."""
    end, there = 2, b""
    at = 2
    while data[at + 1] not in {0xDA, 0xD9}:  # to the pixels
        if data[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if data[at + 1] == 0xE0 and at == 2:
            end = at + 2 + length
        if data[at + 1] == 0xE1:
            there += body[:40]
        at += 2 + length
    added = b""
    for head, body in ((_JPEG_EXIF, _exif(text)), (_JPEG_XMP, xmp)):
        if head not in there and len(head + body) <= _MOST:
            added += struct.pack(">HH", 0xFFE1, 2 + len(head + body)) + head + body
    return data[:end] + added + data[end:]


def _exif(text: str) -> bytes:
    """A TIFF header, a directory that points to the next one, and that with the UserComment."""
    comment = b"UNICODE\0" + text.encode("utf-16-be", "surrogatepass")
    directory = struct.pack(">HHHIII", 1, 0x8769, 4, 1, 26, 0)
    settings = struct.pack(">HHHIII", 1, 0x9286, 7, len(comment), 44, 0)
    return b"MM\0*\0\0\0\x08" + directory + settings + comment


def _in_webp(data: bytes, text: str, xmp: bytes) -> bytes:
    """Behind the pixels, in the extended form of the file, which says what there is."""
    body = data[12 : 8 + struct.unpack_from("<I", data, 4)[0]]
    chunks = dict(_riff(body))
    if b"VP8X" not in chunks:
        body = _riffed(b"VP8X", _extended(*next(iter(chunks.items())))) + body
    flags = body[8]
    for kind, flag, own in ((b"EXIF", 0x08, _exif(text)), (b"XMP ", 0x04, xmp)):
        if kind not in chunks:
            flags |= flag
            body += _riffed(kind, own)
    body = body[:8] + bytes([flags]) + body[9:]
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _riff(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(body):
        kind, length = struct.unpack_from("<4sI", body, at)
        yield kind, body[at + 8 : at + 8 + min(length, 100)]
        at += 8 + length + length % 2


def _riffed(kind: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2)


def _extended(kind: bytes, body: bytes) -> bytes:
    """The header of the extended form, by the only chunk of the simple one."""
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 1)
        width, height, alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    else:
        wide, high = struct.unpack_from("<HH", body, 6)
        width, height, alpha = (wide & 0x3FFF) - 1, (high & 0x3FFF) - 1, 0
    sides = int(width).to_bytes(3, "little") + int(height).to_bytes(3, "little")
    return bytes([alpha << 4, 0, 0, 0]) + sides
