"""Scenarios by section of the specification: its endpoints with success, and with the errors of their own."""
from scenarios.accounts import accounts, deactivation, devices, passwords, tokens
from scenarios.backup import backup_keys, backup_versions
from scenarios.concurrency import at_once
from scenarios.discovery import discovery, operations
from scenarios.encryption import cross_signing_keys, device_key_exchange, to_device
from scenarios.ephemeral import presence, receipts, typing, unread
from scenarios.events import history, member_events, redactions, sending, sizes, state, visibility
from scenarios.hidden import former_members, ignored_users, redacted_redactions
from scenarios.push import push_rules, pushers
from scenarios.rooms import aliases, creation, membership
from scenarios.syncing import filters, initial_and_incremental, lazy_members, sections
from scenarios.userdata import account_data, profile, tags

ALL = [discovery, operations, accounts, tokens, devices, passwords, deactivation, creation, membership, aliases,
       sending, state, history, redactions, sizes, member_events, visibility, former_members,
       redacted_redactions, ignored_users, initial_and_incremental, sections, filters, lazy_members, typing, receipts,
       unread, presence, profile, account_data, tags, device_key_exchange, cross_signing_keys, to_device,
       backup_versions, backup_keys, push_rules, pushers, at_once]
