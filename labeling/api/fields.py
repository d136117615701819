"""Fields as strict as the schema says: a number is not text, text is not a number, what nobody asked for is refused.

REST framework's own read "3" as 3, 3 as "3" and "yes" as true, and cut spaces off texts that people wrote.
"""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from labeling.checking import unstorable

MOST_ID = 2**53 - 1
"""Ids and numbers of rows in answers are exact in every client's numbers."""


class Sent(serializers.Serializer[Any]):
    """What a client sends: members that are not named here are refused."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            members = members_of(type(self))
            for name in data:
                if name not in members:
                    known = ", ".join(members) or "none"
                    says = f"The member {str(name)[:60]!r} is not known here; known are: {known}."
                    raise serializers.ValidationError({str(name)[:60]: [says]}, code="unknown_member")
        return super().to_internal_value(data)


class Shown(serializers.Serializer[Any]):
    """What the API answers with. Members may be added to it later."""


def members_of(shape: type[serializers.Serializer[Any]]) -> list[str]:
    """The names of its members, in their order."""
    return [str(name) for name in shape().fields.keys()]  # noqa: SIM118 (the stubs say that it iterates over values)


class Text(serializers.CharField):
    """Text as it was written. least, most: characters."""

    def __init__(self, *, least: int = 0, most: int, **more: Any) -> None:
        super().__init__(
            allow_blank=least == 0, trim_whitespace=False, min_length=least or None, max_length=most, **more
        )

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, str) and (wrong := unstorable(data)):
            raise serializers.ValidationError(f"The text holds {wrong}; remove it.", code="text_unstorable")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Expected text in quotes.", code="not_text")
        return super().to_internal_value(data)


class TextSchema(OpenApiSerializerFieldExtension):
    target_class = Text

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Any:
        field: Text = self.target
        schema: dict[str, Any] = {"type": "string", "maxLength": field.max_length, "pattern": r"^[^\u0000]*$"}
        if field.min_length:
            schema["minLength"] = field.min_length
        return schema


class Whole(serializers.IntegerField):
    def __init__(self, *, low: int = 0, high: int = MOST_ID, **more: Any) -> None:
        super().__init__(min_value=low, max_value=high, **more)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():  # JSON has one kind of number; 3.0 is whole.
            data = int(data)
        if type(data) is not int:
            raise serializers.ValidationError("Expected a whole number.", code="not_a_number")
        return data


class Truth(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("Expected true or false.", code="not_true_or_false")
        return data


class OneOf(serializers.ChoiceField):
    """A word of a list."""

    def to_internal_value(self, data: Any) -> Any:
        if data == "" and self.allow_blank:
            return data
        if not isinstance(data, str) or data not in self.choice_strings_to_values:
            listed = ", ".join(self.choice_strings_to_values)
            raise serializers.ValidationError(f"{str(data)[:40]!r} is none of {listed}.", code="invalid_choice")
        return data


class Uuid(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or len(data) != 36:
            raise serializers.ValidationError("Expected a UUID with its hyphens.", code="not_a_uuid")
        return super().to_internal_value(data)


class WholeParameter(serializers.IntegerField):
    """A number in the address: digits only, where int() would also take " 7", +7, 1_0 and ٣."""

    def __init__(self, *, low: int = 1, high: int = MOST_ID, **more: Any) -> None:
        super().__init__(min_value=low, max_value=high, required=False, **more)

    def to_internal_value(self, data: Any) -> int:
        if not (isinstance(data, str) and data.isascii() and data.isdigit() and len(data) < 19):
            raise serializers.ValidationError("Expected a whole number.", code="not_a_number")
        return int(data)


class TruthParameter(serializers.BooleanField):
    """true or false in the address."""

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            raise serializers.ValidationError("Expected true or false.", code="not_true_or_false")
        return bool(data == "true")
