"""The text of every channel event: names, order and values as a real node sends them (`tests/recordings`, 10 to 26).

Data for `render`. A line is `conditions|Name: value`. Conditions are letters: of the capitals one must hold, the
small ones all, and a letter after `!` must not:

    I no answer to the INVITE yet, R a 180 came, E a 183 came, A answered
    s sofia leg, n caller id has a name, h the far end answered something, x runs applications (caller id flipped),
    d endpoint_disposition known, p the application has an argument, f final refusal, v a refusal with a status,
    b far end's BYE, k our BYE, c our CANCEL, g hung up, y past CHANNEL_HANGUP, z complete (CDR values), t rang (180),
    w early media (183), m media run, o an application has run, r redirected to another address,
    u ended before its INVITE

`%(field)s` is filled in for each call, `@name@` once for each node; `%%` is a percent sign.
"""

from __future__ import annotations

HEAD = """
|Event-Name: @event@
|Core-UUID: @core@
|FreeSWITCH-Hostname: @hostname@
|FreeSWITCH-Switchname: @switchname@
|FreeSWITCH-IPv4: 127.0.0.1
|FreeSWITCH-IPv6: ::1
|Event-Date-Local: %(now_local)s
|Event-Date-GMT: %(now_gmt)s
|Event-Date-Timestamp: %(now_us)s
|Event-Calling-File: @file@
|Event-Calling-Function: @function@
|Event-Calling-Line-Number: @line@
|Event-Sequence: %(sequence)s
"""

CHANNEL = """
|Channel-State: %(state)s
|Channel-Call-State: %(call_state)s
|Channel-State-Number: @number@
|Channel-Name: %(channel)s
|Unique-ID: %(uuid)s
|Call-Direction: outbound
|Presence-Call-Direction: outbound
!x|Channel-HIT-Dialplan: false
x|Channel-HIT-Dialplan: true
|Channel-Call-UUID: %(uuid)s
|Answer-State: %(answer_state)s
g|Hangup-Cause: %(cause)s
ms|Channel-Read-Codec-Name: PCMU
ms|Channel-Read-Codec-Rate: 8000
ms|Channel-Read-Codec-Bit-Rate: 64000
ms|Channel-Write-Codec-Name: PCMU
ms|Channel-Write-Codec-Rate: 8000
ms|Channel-Write-Codec-Bit-Rate: 64000
!s|Channel-Read-Codec-Name: L16
!s|Channel-Read-Codec-Rate: 8000
!s|Channel-Read-Codec-Bit-Rate: 128000
!s|Channel-Write-Codec-Name: L16
!s|Channel-Write-Codec-Rate: 8000
!s|Channel-Write-Codec-Bit-Rate: 128000
|Caller-Direction: outbound
|Caller-Logical-Direction: outbound
n!x|Caller-Caller-ID-Name: %(cid_name)s
!x|Caller-Caller-ID-Number: %(cid_number)s
x|Caller-Caller-ID-Name: Outbound Call
x|Caller-Caller-ID-Number: %(number)s
n|Caller-Orig-Caller-ID-Name: %(cid_name)s
|Caller-Orig-Caller-ID-Number: %(cid_number)s
!x|Caller-Callee-ID-Name: Outbound Call
!x|Caller-Callee-ID-Number: %(number)s
nx|Caller-Callee-ID-Name: %(cid_name)s
x|Caller-Callee-ID-Number: %(cid_number)s
sh|Caller-Network-Addr: 127.0.0.1
|Caller-ANI: %(cid_number)s
|Caller-Destination-Number: %(number)s
|Caller-Unique-ID: %(uuid)s
s|Caller-Source: src/switch_ivr_originate.c
!s|Caller-Source: mod_loopback
|Caller-Context: default
|Caller-Channel-Name: %(channel)s
|Caller-Profile-Index: 1
|Caller-Profile-Created-Time: %(created)s
|Caller-Channel-Created-Time: %(created)s
|Caller-Channel-Answered-Time: %(answered)s
|Caller-Channel-Progress-Time: %(progress)s
|Caller-Channel-Progress-Media-Time: %(progress_media)s
|Caller-Channel-Hangup-Time: %(hangup)s
|Caller-Channel-Transfer-Time: 0
|Caller-Channel-Resurrect-Time: 0
|Caller-Channel-Bridged-Time: 0
|Caller-Channel-Last-Hold: 0
|Caller-Channel-Hold-Accum: 0
|Caller-Screen-Bit: true
|Caller-Privacy-Hide-Name: false
|Caller-Privacy-Hide-Number: false
"""

# A channel that a gateway refused before it was set up.
STILLBORN = """
|Channel-State: %(state)s
|Channel-Call-State: DOWN
|Channel-State-Number: 0
|Channel-Name: N/A
|Unique-ID: %(uuid)s
|Call-Direction: outbound
|Presence-Call-Direction: outbound
|Channel-HIT-Dialplan: false
|Channel-Call-UUID: %(uuid)s
|Answer-State: ringing
"""
STILLBORN_VARIABLES = """
|variable_direction: outbound
|variable_is_outbound: true
|variable_uuid: %(uuid)s
|variable_call_uuid: %(uuid)s
|variable_session_id: %(session)s
"""

_SDP = (
    r"v=0\r\no=FreeSWITCH %(sdp)s1 %(sdp)s2 IN IP4 127.0.0.1\r\ns=FreeSWITCH\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    r"m=audio %(port)s RTP/AVP 0 8 101 13\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    r"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap:13 CN/8000\r\na=ptime:20\r\na=sendrecv\r\n"
)
_FAR_SDP = (
    r"v=0\r\no=sipp 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    r"m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
)

# Every name gets the prefix `variable_`. `%(user)s` and `%(late)s` stand for whole blocks of variables.
VARIABLES = f"""
|direction: outbound
|is_outbound: true
|uuid: %(uuid)s
!x|call_uuid: %(uuid)s
|session_id: %(session)s
!s|read_codec: L16
!s|read_rate: 8000
!s|write_codec: L16
!s|write_rate: 8000
s|sip_gateway_name: %(gateway)s
s!h!f|sip_local_network_addr: 127.0.0.1
s|sip_profile_name: gateway
s|video_media_flow: disabled
su|audio_media_flow: disabled
s|text_media_flow: disabled
|channel_name: %(channel)s
s|sip_destination_url: sip:%(number)s@127.0.0.1:5090
%(user)s
|originate_early_media: %(early_ok)s
|originate_endpoint: %(endpoint)s
s!m!u|rtp_use_codec_string: PCMU,PCMA
s!m!u|local_media_ip: 127.0.0.1
s!m!u|local_media_port: %(port)s
s!m!u|advertised_media_ip: 127.0.0.1
s!u|audio_media_flow: sendrecv
s!u|rtp_local_sdp_str: {_SDP}
s!u|sip_outgoing_contact_uri: <sip:gw+%(gateway)s@127.0.0.1:5080;transport=udp;gw=%(gateway)s>
s!u|sip_req_uri: %(number)s@127.0.0.1:5090
Is!u|sip_to_host: 127.0.0.1:5090
Is!u|sip_from_host: 127.0.0.1
s!u|sofia_profile_name: external
s!u|recovery_profile_name: external
s!u|sofia_profile_url: sip:mod_sofia@127.0.0.1:5080
Isf|sip_call_id: %(call_id)s
sh|sip_local_network_addr: 127.0.0.1
sf!h|sip_local_network_addr: 127.0.0.1
sh|sip_reply_host: 127.0.0.1
sh|sip_reply_port: 5090
sh|sip_network_ip: 127.0.0.1
sh|sip_network_port: 5090
sf!h|sip_reply_port: 0
sf!h|sip_network_port: 0
Es!m|ep_codec_string: CORE_PCM_MODULE.PCMU@8000h@20i@64000b
REAs|sip_recover_contact: <sip:127.0.0.1:5090;transport=UDP>
REAs|sip_full_via: SIP/2.0/UDP 127.0.0.1:5080;rport;branch=z9hG4bK%(branch)s
REAs|sip_recover_via: SIP/2.0/UDP 127.0.0.1:5080;rport;branch=z9hG4bK%(branch)s
REAsn|sip_from_display: %(cid_name)s
REAsn|sip_full_from: "%(cid_name)s" <sip:%(cid_number)s@127.0.0.1>;tag=%(from_tag)s
REAs!n|sip_full_from: <sip:%(cid_number)s@127.0.0.1>;tag=%(from_tag)s
REAs|sip_full_to: <sip:%(number)s@127.0.0.1:5090>;tag=%(to_tag)s
REAs|sip_from_user: %(cid_number)s
REAs|sip_from_uri: %(cid_number)s@127.0.0.1
REAs|sip_from_host: 127.0.0.1
REAs|sip_to_user: %(number)s
REAs|sip_to_port: 5090
REAs|sip_to_uri: %(number)s@127.0.0.1:5090
REAs|sip_to_host: 127.0.0.1
REAs|sip_contact_params: transport=UDP
REAs|sip_contact_user: nobody
REAs|sip_contact_port: 5090
REAs|sip_contact_uri: nobody@127.0.0.1:5090
REAs|sip_contact_host: 127.0.0.1
REAs|sip_to_tag: %(to_tag)s
REAs|sip_from_tag: %(from_tag)s
REAs|sip_cseq: %(cseq)s
REAs|sip_call_id: %(call_id)s
EAs|switch_r_sdp: {_FAR_SDP}
ms|ep_codec_string: CORE_PCM_MODULE.PCMU@8000h@20i@64000b
ms|rtp_use_codec_string: PCMU,PCMA
ms|remote_video_media_flow: inactive
ms|remote_text_media_flow: inactive
ms|remote_audio_media_flow: sendrecv
ms|rtp_audio_recv_pt: 0
ms|rtp_use_codec_name: PCMU
ms|rtp_use_codec_rate: 8000
ms|rtp_use_codec_ptime: 20
ms|rtp_use_codec_channels: 1
ms|rtp_last_audio_codec_string: PCMU@8000h@20i@1c
ms|read_codec: PCMU
ms|original_read_codec: PCMU
ms|read_rate: 8000
ms|original_read_rate: 8000
ms|write_codec: PCMU
ms|write_rate: 8000
ms|dtmf_type: rfc2833
ms|local_media_ip: 127.0.0.1
ms|local_media_port: %(port)s
ms|advertised_media_ip: 127.0.0.1
ms|rtp_use_timer_name: soft
ms|rtp_use_pt: 0
ms|rtp_use_ssrc: %(ssrc)s
ms|rtp_2833_send_payload: 101
ms|rtp_2833_recv_payload: 101
ms|remote_media_ip: 127.0.0.1
ms|remote_media_port: 40000
d|endpoint_disposition: %(disposition)s
%(late)s
xn|pre_transfer_caller_id_name: %(cid_name)s
x|pre_transfer_caller_id_number: %(cid_number)s
x|channel_cid_flipped: yes
x|call_uuid: %(uuid)s
op|current_application_data: %(application_data)s
o|current_application: %(application)s
sb|sip_reason: %(reason)s
sb|sip_term_status: 200
sb|proto_specific_hangup_cause: sip:200
sb|sip_term_cause: 16
sby|sip_hangup_disposition: recv_bye
sf|sip_hangup_disposition: recv_refuse
sfv|sip_invite_failure_status: %(status)s
sfv|sip_invite_failure_phrase: %(phrase)s
sfv|sip_term_status: %(status)s
sfv|proto_specific_hangup_cause: sip:%(status)s
sfv|sip_term_cause: %(q850)s
sr|sip_redirect_contact_0: <sip:+12125550110@127.0.0.1:5190>
sr|sip_redirected_to: <sip:+12125550110@127.0.0.1:5190>
sr|sip_redirect_contact_user_0: +12125550110
sr|sip_redirect_contact_host_0: 127.0.0.1
sr|proto_specific_hangup_cause: sip:%(status)s
z|hangup_cause: %(cause)s
z|hangup_cause_q850: %(q850)s
z|digits_dialed: none
z|start_stamp: %(start_stamp)s
z|profile_start_stamp: %(start_stamp)s
Az|answer_stamp: %(answer_stamp)s
tz|progress_stamp: %(progress_stamp)s
wz|progress_media_stamp: %(progress_media_stamp)s
z|end_stamp: %(end_stamp)s
z|start_epoch: %(start_epoch)s
z|start_uepoch: %(created)s
z|profile_start_epoch: %(start_epoch)s
z|profile_start_uepoch: %(created)s
z|answer_epoch: %(answer_epoch)s
z|answer_uepoch: %(answered)s
z|bridge_epoch: %(bridge_epoch)s
z|bridge_uepoch: %(bridged)s
z|last_hold_epoch: 0
z|last_hold_uepoch: 0
z|hold_accum_seconds: 0
z|hold_accum_usec: 0
z|hold_accum_ms: 0
z|resurrect_epoch: 0
z|resurrect_uepoch: 0
z|progress_epoch: %(progress_epoch)s
z|progress_uepoch: %(progress)s
z|progress_media_epoch: %(progress_media_epoch)s
z|progress_media_uepoch: %(progress_media)s
z|end_epoch: %(end_epoch)s
z|end_uepoch: %(hangup)s
zo|last_app: %(application)s
zop|last_arg: %(application_data)s
z!xn|caller_id: "%(cid_name)s" <%(cid_number)s>
z!x!n|caller_id: %(cid_number)s
zx|caller_id: "Outbound Call" <%(number)s>
z|duration: %(duration)s
z|billsec: %(billsec)s
z|progresssec: %(progresssec)s
z|answersec: %(answersec)s
z|waitsec: 0
z|progress_mediasec: %(progress_mediasec)s
z|flow_billsec: %(flow_billsec)s
z|mduration: %(mduration)s
z|billmsec: %(billmsec)s
z|progressmsec: %(progressmsec)s
z|answermsec: %(answermsec)s
z|waitmsec: 0
z|progress_mediamsec: %(progress_mediamsec)s
z|flow_billmsec: %(flow_billmsec)s
z|uduration: %(uduration)s
z|billusec: %(billusec)s
z|progressusec: %(progressusec)s
z|answerusec: %(answerusec)s
z|waitusec: 0
z|progress_mediausec: %(progress_mediausec)s
z|flow_billusec: %(flow_billusec)s
skz|sip_hangup_disposition: send_bye
scz|sip_hangup_disposition: send_cancel
scz|sip_invite_failure_status: 487
scz|sip_invite_failure_phrase: CANCEL
msz|rtp_audio_in_raw_bytes: 0
msz|rtp_audio_in_media_bytes: 0
msz|rtp_audio_in_packet_count: 0
msz|rtp_audio_in_media_packet_count: 0
msz|rtp_audio_in_skip_packet_count: %(skipped)s
msz|rtp_audio_in_jitter_packet_count: 0
msz|rtp_audio_in_dtmf_packet_count: 0
msz|rtp_audio_in_cng_packet_count: 0
msz|rtp_audio_in_flush_packet_count: 0
msz|rtp_audio_in_largest_jb_size: 0
msz|rtp_audio_in_jitter_min_variance: 0.00
msz|rtp_audio_in_jitter_max_variance: 0.00
msz|rtp_audio_in_jitter_loss_rate: 0.00
msz|rtp_audio_in_jitter_burst_rate: 0.00
msz|rtp_audio_in_mean_interval: 0.00
msz|rtp_audio_in_flaw_total: 0
msz|rtp_audio_in_quality_percentage: 100.00
msz|rtp_audio_in_mos: 4.50
msz|rtp_audio_out_raw_bytes: 0
msz|rtp_audio_out_media_bytes: 0
msz|rtp_audio_out_packet_count: 0
msz|rtp_audio_out_media_packet_count: 0
msz|rtp_audio_out_skip_packet_count: 0
msz|rtp_audio_out_dtmf_packet_count: 0
msz|rtp_audio_out_cng_packet_count: 0
msz|rtp_audio_rtcp_packet_count: 0
msz|rtp_audio_rtcp_octet_count: 0
"""

# Kind: source file, function, line, Channel-State-Number, and which parts the event has.
_SESSION = "switch_core_session.c"
_CHANNEL = "switch_channel.c"
_MACHINE = "switch_core_state_machine.c"
KINDS: dict[str, tuple[str, str, int, str, str]] = {
    "CHANNEL_OUTGOING": (_SESSION, "switch_core_session_outgoing_channel", 768, "1", "channel"),
    "CHANNEL_CREATE": (_MACHINE, "switch_core_session_run", 626, "2", "channel variables"),
    "CHANNEL_ORIGINATE": (_MACHINE, "switch_core_session_run", 632, "2", "channel variables"),
    "CHANNEL_PROGRESS": (
        _CHANNEL,
        "switch_channel_perform_mark_ring_ready_value",
        3507,
        "7",
        "channel variables",
    ),
    "CHANNEL_PROGRESS_MEDIA": (
        _CHANNEL,
        "switch_channel_perform_mark_pre_answered",
        3562,
        "7",
        "channel variables",
    ),
    "CHANNEL_ANSWER": (_CHANNEL, "switch_channel_perform_mark_answered", 3848, "7", "channel variables"),
    "CHANNEL_EXECUTE": (
        _SESSION,
        "switch_core_session_exec",
        2949,
        "%(state_number)s",
        "channel variables application",
    ),
    "CHANNEL_EXECUTE_COMPLETE": (
        _SESSION,
        "switch_core_session_exec",
        2972,
        "%(state_number)s",
        "channel variables application response",
    ),
    "CHANNEL_PARK": ("switch_ivr.c", "switch_ivr_park", 1002, "4", "channel variables"),
    "CHANNEL_UNPARK": ("switch_ivr.c", "switch_ivr_park", 1213, "10", "channel variables"),
    "CHANNEL_HANGUP": (_CHANNEL, "switch_channel_perform_hangup", 3447, "10", "channel variables"),
    "CHANNEL_HANGUP_COMPLETE": (
        _MACHINE,
        "switch_core_session_reporting_state",
        943,
        "11",
        "cause channel variables",
    ),
    "CHANNEL_DESTROY": (_SESSION, "switch_core_session_perform_destroy", 1588, "12", "channel variables"),
    "CHANNEL_STATE": (
        _CHANNEL,
        "switch_channel_perform_set_running_state",
        2409,
        "%(state_number)s",
        "channel",
    ),
    "CHANNEL_CALLSTATE": (
        _CHANNEL,
        "switch_channel_perform_set_callstate",
        302,
        "%(state_number)s",
        "callstate channel",
    ),
    "CHANNEL_DATA": ("mod_commands.c", "uuid_dump_function", 6495, "%(state_number)s", "channel variables"),
    "STILLBORN": (_SESSION, "switch_core_session_perform_destroy", 1588, "0", "stillborn own"),
    "STILLBORN_STATE": (_CHANNEL, "switch_channel_perform_set_running_state", 2409, "0", "stillborn"),
}
PUBLISHED_AS = {"STILLBORN": "CHANNEL_DESTROY", "STILLBORN_STATE": "CHANNEL_STATE"}
