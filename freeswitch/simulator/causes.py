"""Hangup causes of FreeSWITCH with their Q.850 numbers, and what a SIP final response turns into.

Used by the plan, the switch and `uuid_kill`. The numbers are those of switch_cause_t; an unknown name means
NORMAL_CLEARING, as on the real node (fact B).
"""

from __future__ import annotations

from freeswitch.simulator.numerals import decimal

Q850 = {
    "NONE": 0,
    "UNALLOCATED_NUMBER": 1,
    "NO_ROUTE_TRANSIT_NET": 2,
    "NO_ROUTE_DESTINATION": 3,
    "CHANNEL_UNACCEPTABLE": 6,
    "CALL_AWARDED_DELIVERED": 7,
    "NORMAL_CLEARING": 16,
    "USER_BUSY": 17,
    "NO_USER_RESPONSE": 18,
    "NO_ANSWER": 19,
    "SUBSCRIBER_ABSENT": 20,
    "CALL_REJECTED": 21,
    "NUMBER_CHANGED": 22,
    "REDIRECTION_TO_NEW_DESTINATION": 23,
    "EXCHANGE_ROUTING_ERROR": 25,
    "DESTINATION_OUT_OF_ORDER": 27,
    "INVALID_NUMBER_FORMAT": 28,
    "FACILITY_REJECTED": 29,
    "RESPONSE_TO_STATUS_ENQUIRY": 30,
    "NORMAL_UNSPECIFIED": 31,
    "NORMAL_CIRCUIT_CONGESTION": 34,
    "NETWORK_OUT_OF_ORDER": 38,
    "NORMAL_TEMPORARY_FAILURE": 41,
    "SWITCH_CONGESTION": 42,
    "ACCESS_INFO_DISCARDED": 43,
    "REQUESTED_CHAN_UNAVAIL": 44,
    "PRE_EMPTED": 45,
    "FACILITY_NOT_SUBSCRIBED": 50,
    "OUTGOING_CALL_BARRED": 52,
    "INCOMING_CALL_BARRED": 54,
    "BEARERCAPABILITY_NOTAUTH": 57,
    "BEARERCAPABILITY_NOTAVAIL": 58,
    "SERVICE_UNAVAILABLE": 63,
    "BEARERCAPABILITY_NOTIMPL": 65,
    "CHAN_NOT_IMPLEMENTED": 66,
    "FACILITY_NOT_IMPLEMENTED": 69,
    "SERVICE_NOT_IMPLEMENTED": 79,
    "INVALID_CALL_REFERENCE": 81,
    "INCOMPATIBLE_DESTINATION": 88,
    "INVALID_MSG_UNSPECIFIED": 95,
    "MANDATORY_IE_MISSING": 96,
    "MESSAGE_TYPE_NONEXIST": 97,
    "WRONG_MESSAGE": 98,
    "IE_NONEXIST": 99,
    "INVALID_IE_CONTENTS": 100,
    "WRONG_CALL_STATE": 101,
    "RECOVERY_ON_TIMER_EXPIRE": 102,
    "MANDATORY_IE_LENGTH_ERROR": 103,
    "PROTOCOL_ERROR": 111,
    "INTERWORKING": 127,
    "ORIGINATOR_CANCEL": 487,
    "CRASH": 700,
    "SYSTEM_SHUTDOWN": 701,
    "LOSE_RACE": 702,
    "MANAGER_REQUEST": 703,
    "BLIND_TRANSFER": 800,
    "ATTENDED_TRANSFER": 801,
    "ALLOTTED_TIMEOUT": 802,
    "USER_CHALLENGE": 803,
    "MEDIA_TIMEOUT": 804,
    "PICKED_OFF": 805,
    "USER_NOT_REGISTERED": 806,
    "PROGRESS_TIMEOUT": 807,
    "INVALID_GATEWAY": 808,
    "GATEWAY_DOWN": 809,
    "INVALID_URL": 810,
    "INVALID_PROFILE": 811,
    "NO_PICKUP": 812,
    "SRTP_READ_ERROR": 813,
    "BOWOUT": 814,
    "BUSY_EVERYWHERE": 815,
    "DECLINE": 816,
    "DOES_NOT_EXIST_ANYWHERE": 817,
    "NOT_ACCEPTABLE": 818,
    "UNWANTED": 819,
    "NO_IDENTITY": 820,
    "BAD_IDENTITY_INFO": 821,
    "UNSUPPORTED_CERTIFICATE": 822,
    "INVALID_IDENTITY": 823,
    "STALE_DATE": 824,
    "REJECT_ALL": 825,
}
_BY_NUMBER = {number: name for name, number in Q850.items()}

# What a final response becomes; every other one is NORMAL_UNSPECIFIED.
SIP = {
    400: ("Bad Request", "NORMAL_TEMPORARY_FAILURE"),
    403: ("Forbidden", "CALL_REJECTED"),
    404: ("Not Found", "UNALLOCATED_NUMBER"),
    408: ("Request Timeout", "RECOVERY_ON_TIMER_EXPIRE"),
    410: ("Gone", "NUMBER_CHANGED"),
    480: ("Temporarily Unavailable", "NO_USER_RESPONSE"),
    484: ("Address Incomplete", "INVALID_NUMBER_FORMAT"),
    486: ("Busy Here", "USER_BUSY"),
    487: ("Request Terminated", "ORIGINATOR_CANCEL"),
    500: ("Server Internal Error", "NORMAL_TEMPORARY_FAILURE"),
    502: ("Bad Gateway", "NETWORK_OUT_OF_ORDER"),
    503: ("Service Unavailable", "NORMAL_TEMPORARY_FAILURE"),
    603: ("Decline", "CALL_REJECTED"),
}


def parse_cause(text: str, default: str = "NORMAL_CLEARING") -> str:
    """A cause by name in any case or by number; what FreeSWITCH does not know becomes `default`."""
    number = decimal(text)
    if number is not None:
        return _BY_NUMBER.get(number, default)
    name = text.upper()
    return name if name in Q850 else default


def q850(cause: str) -> int:
    """The number reported as hangup_cause_q850: causes of FreeSWITCH's own are reported as 16."""
    number = Q850.get(cause, 16)
    return number if number < 128 else 16
