"""Hashes, ids, redaction, canonical JSON and signatures of received PDUs, through Synapse, canonicaljson and signedjson."""
import copy
import decimal
import hashlib
import itertools
import json
from collections.abc import Mapping
from unittest import mock

from canonicaljson import encode_canonical_json
from signedjson.key import decode_signing_key_base64, get_verify_key
from synapse import event_auth
from synapse.api.constants import MAX_DEPTH
from synapse.api.errors import SynapseError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS, EventFormatVersions
from synapse.crypto.event_signing import (
    check_event_content_hash,
    compute_content_hash,
    compute_event_reference_hash,
    compute_event_signature,
)
from synapse.crypto.keyring import Keyring
from synapse.events import make_event_from_dict
from synapse.events.utils import prune_event
from synapse.federation import federation_base
from synapse.federation.federation_base import _check_sigs_on_pdu, _is_invite_via_3pid, event_from_pdu_json
from synapse.storage.keys import FetchKeyResult
from synapse.synapse_rust.events import redact_event_dict
from synapse.types import get_domain_from_id
from synapse.util.json import json_decoder
from unpaddedbase64 import decode_base64, encode_base64

from results import Difference, run

NEVER = 2**63


class NobodyElse:
    async def add_to_queue(self, request, key):
        return {}


class ServerKeys(Keyring):
    """A Keyring that knows the keys of one server and can ask nobody."""

    def __init__(self, keys):
        self._is_mine_server_name = lambda server_name: True
        self._fetch_keys_queue = NobodyElse()
        self._local_verify_keys = {}
        for key_id, key in keys.items():
            signing_key = decode_signing_key_base64(*key_id.split(":"), key["seed"])
            self._local_verify_keys[key_id] = FetchKeyResult(
                verify_key=get_verify_key(signing_key), valid_until_ts=key.get("expired_ts", NEVER)
            )


class Keys:
    """The keyring of all servers."""

    def __init__(self, servers):
        self.signing_keys = {
            server: {key_id: decode_signing_key_base64(*key_id.split(":"), key["seed"]) for key_id, key in keys.items()}
            for server, keys in servers.items()
        }
        self.servers = {server: ServerKeys(keys) for server, keys in servers.items()}
        self.nobody = ServerKeys({})
        self.as_specified = ExpiringKeys(self)

    async def verify_event_for_server(self, server_name, event, validity_time):
        keyring = self.servers.get(server_name, self.nobody)
        await keyring.verify_event_for_server(server_name, event, validity_time)


class ExpiringKeys:
    """"Any keys that are known to have expired prior to the event's origin_server_ts are ignored": in every version."""

    def __init__(self, keys):
        self.keys = keys

    async def verify_event_for_server(self, server_name, event, validity_time):
        await self.keys.verify_event_for_server(server_name, event, event.origin_server_ts)


# How the specification reads what Synapse reads otherwise: each is a heading of the page on differences.
EXPONENTS = "numbers with an exponent"
WIDE = "integers beyond 64 bits"
DEPTH = "depths above 2^53"
SIZE = "the size of an event"
EXPIRED = "keys that expired before the event"
UNSIGNED = "unsigned third party invites in versions 1 and 2"
INVITES = "third party invites that are none"
HASHES = "hashes that are no base64"
READINGS = (EXPONENTS, WIDE, DEPTH, SIZE, EXPIRED, UNSIGNED, INVITES, HASHES)
COMPUTED = ("canonical", "content_hash", "reference_hash", "event_id", "redacted")


def whole_number(text):
    """1e10 is 10000000000 (appendices, Canonical JSON, Examples); what is written with a point stays a float."""
    number = decimal.Decimal(text)
    if "." in text or number != number.to_integral_value() or abs(number) >= 10**16:
        return float(text)
    return int(number)


def narrow_integer(text):
    number = int(text)
    return number if -(2**63) <= number < 2**64 else float(text)


def is_signed_3pid_invite(event):
    """What the authorization rules compare with an m.room.third_party_invite."""
    invite = event.content.get("third_party_invite")
    return _is_invite_via_3pid(event) and isinstance(invite, Mapping) and isinstance(invite.get("signed"), Mapping)


class Case:
    def __init__(self, line, keys):
        self.line, self.keys = line, keys
        self.version = KNOWN_ROOM_VERSIONS[line["version"]]
        self.text = decode_base64(line["text"])

    def read(self, readings):
        """The PDU and the event that Synapse makes of it."""
        hooks = {"parse_constant": json_decoder.parse_constant}
        lax = not self.version.strict_canonicaljson
        if EXPONENTS in readings and lax:
            hooks["parse_float"] = whole_number
        if WIDE in readings and lax:
            hooks["parse_int"] = narrow_integer
        pdu = json.loads(self.text.decode("utf-8"), **hooks)
        if DEPTH in readings and lax and MAX_DEPTH < pdu["depth"] < 2**63:
            return pdu, make_event_from_dict(pdu, self.version)
        return pdu, event_from_pdu_json(copy.deepcopy(pdu), self.version)

    def signed_as_specified(self, pdu, event):
        """Under the sender's own domain, nobody has to sign a third party invite: Synapse wants something there."""
        server = get_domain_from_id(event.sender)
        if self.version.event_format != EventFormatVersions.ROOM_V1_V2 or server in event.signatures:
            return event
        if not _is_invite_via_3pid(event) or get_domain_from_id(event.event_id) != server:
            return event
        signatures = {**pdu["signatures"], server: {"ed25519:none": "none"}}
        return make_event_from_dict({**pdu, "signatures": signatures}, self.version)

    async def check_signatures(self, event, readings):
        keys = self.keys.as_specified if EXPIRED in readings else self.keys
        if INVITES not in readings:
            return await _check_sigs_on_pdu(keys, self.version, event)
        with mock.patch.object(federation_base, "_is_invite_via_3pid", is_signed_3pid_invite):
            await _check_sigs_on_pdu(keys, self.version, event)
            if not self.has_its_hash(event, readings):
                await _check_sigs_on_pdu(keys, self.version, prune_event(event))

    def has_its_hash(self, event, readings):
        try:
            return check_event_content_hash(event)
        except SynapseError:
            if HASHES not in readings:
                raise
            return False

    def check_size(self, pdu, event, readings):
        if SIZE not in readings:
            return event_auth.validate_event_for_room_version(event)
        if len(encode_canonical_json(pdu)) > event_auth.MAX_PDU_SIZE:
            raise ValueError("event too large")
        with mock.patch.object(event_auth, "MAX_PDU_SIZE", 2 * event_auth.MAX_PDU_SIZE):
            return event_auth.validate_event_for_room_version(event)

    def outcome(self, readings=()):
        """What Synapse makes of it: as Myelin's line."""
        result = {"verdict": "refused", "reason": ""}
        try:
            pdu, event = self.read(readings)
            result |= self.computed(pdu, event)
            if UNSIGNED in readings:
                event = self.signed_as_specified(pdu, event)
            run(self.check_signatures(event, readings))
            self.check_size(pdu, event, readings)
            result["verdict"] = "whole" if self.has_its_hash(event, readings) else "redacted"
        except Exception as error:
            result["reason"] = repr(error)
        return result

    def computed(self, pdu, event):
        redacted = redact_event_dict(self.version, pdu)
        redacted.pop("unsigned", None)  # Synapse's own notes
        return {
            "canonical": encode_canonical_json(pdu).decode(),
            "content_hash": encode_base64(compute_content_hash(pdu, hashlib.sha256)[1]),
            "reference_hash": encode_base64(compute_event_reference_hash(event)[1]),
            "event_id": event.event_id,
            "redacted": encode_canonical_json(redacted).decode(),
        }

    def differing(self, outcome):
        names = [name for name in COMPUTED if name in outcome and self.line[name] is not None]
        return [name for name in ["verdict", *names] if outcome[name] != self.line[name]]

    def explain(self):
        """The fewest readings of the specification with which Synapse agrees."""
        for count in range(1, len(READINGS) + 1):
            for readings in itertools.combinations(READINGS, count):
                if not self.differing(self.outcome(readings)):
                    return ", ".join(readings)
        return None

    def differences(self):
        outcome = self.outcome()
        names = self.differing(outcome)
        if names:
            yield self.difference(names, outcome, self.explain())
        elif self.line["change"] in ("none", "spelling"):
            yield from self.signatures()

    def signatures(self):
        """Where Myelin signed and nothing was changed, Synapse signs with the same bytes."""
        pdu, _ = self.read(())
        for server, by_key in pdu["signatures"].items():
            for key_id, signature in by_key.items():
                key = self.keys.signing_keys[server][key_id]
                made = compute_event_signature(self.version, pdu, server, key)[server][key_id]
                if made != signature:
                    yield Difference(f"the signature of {server} with {key_id}: ours {signature}, Synapse's {made}")

    def difference(self, names, outcome, explained):
        lines = [f"room version {self.line['version']}, changed: {self.line['change']}: {', '.join(names)}"]
        for name in names:
            lines.append(f"  {name}: ours {self.line[name][:3000]}\n    Synapse's {outcome[name][:3000]}")
        lines.append(f"  ours refused: {self.line['reason']}; Synapse's: {outcome['reason']}")
        lines.append(f"  {self.text[:3000].decode('utf-8', 'replace')}")
        return Difference("\n".join(lines), explained)


class Comparison:
    """The first line holds the keys."""

    def __init__(self):
        self.keys = None

    def __call__(self, line, counts):
        if "keys" in line:
            self.keys = Keys(line["keys"])
            return
        counts["pdus"] += 1
        counts["refused"] += line["verdict"] == "refused"
        yield from Case(line, self.keys).differences()
