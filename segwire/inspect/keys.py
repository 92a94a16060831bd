"""Which keys belong to a user, told from the raw bytes: nothing is decoded of the many that do not."""

from schemas.avro_codec import AvroDecodeError, decode_key
from schemas.topics import Topic
from segwire.inspect.log_reader import KeyFilter


def key_filter(topic: Topic, text: str) -> KeyFilter:
    """Return a filter for records of the user `text`, or, where keys are no Avro, of the key `text`."""
    wanted = text.encode()
    if topic.key_schema is None:
        return lambda key: key == wanted
    # An Avro string lies in its record as it is: nearly every other user's key is refused by this search.
    return lambda key: key is not None and wanted in key and _is_user(key, text)


def _is_user(key: bytes, aam_uuid: str) -> bool:
    try:
        return decode_key(key).aam_uuid == aam_uuid
    except AvroDecodeError:
        return False
