"""A QUIC end on aioquic, told by its arguments what to do; it prints one line an event.

server PORT --certificate F --key F [--alpn NAME] [--retry] [--root DIR] …
    hq-interop: serves files of DIR. h3: serves them too, and gives back what is posted. Any other name: gives back each
    stream, and each datagram.
client PORT --ca F --alpn NAME …
    hq-interop, h3: fetches --path, --streams times at once. Any other name: sends --size random bytes on each of
    --streams streams and compares what comes back. With --key-update, --migrate or --new-cid all of it twice.
    It ends with OK, and 0, if everything came back as it should."""

import argparse, asyncio, hashlib, os, pickle, socket, sys
from aioquic.asyncio import connect, serve
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3 import events as h3
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite

versions = {'1': QuicProtocolVersion.VERSION_1, '2': QuicProtocolVersion.VERSION_2}
parser = argparse.ArgumentParser()
parser.add_argument('role', choices=['server', 'client'])
parser.add_argument('port', type=int)
parser.add_argument('--host', default='127.0.0.1')
parser.add_argument('--alpn', default='echo')
parser.add_argument('--versions', default='1,2')
parser.add_argument('--cipher')
parser.add_argument('--key-log')
parser.add_argument('--certificate')
parser.add_argument('--key')
parser.add_argument('--root', default='.')
parser.add_argument('--retry', action='store_true')
parser.add_argument('--ca')
parser.add_argument('--path', default='/index.html')
parser.add_argument('--streams', type=int, default=1)
parser.add_argument('--size', type=int, default=1000)
parser.add_argument('--datagrams', type=int, default=0)
parser.add_argument('--key-update', action='store_true')
parser.add_argument('--migrate', action='store_true')
parser.add_argument('--new-cid', action='store_true')
parser.add_argument('--session', help='keep the ticket in this file, and resume from it')
parser.add_argument('--early', action='store_true')
asked = parser.parse_args()


def say(*words):
    print(*words, flush=True)


settings = QuicConfiguration(
    is_client=asked.role == 'client',
    alpn_protocols=asked.alpn.split(','),
    max_datagram_frame_size=65536,
    max_data=16 << 20,
    max_stream_data=8 << 20,
)
settings.supported_versions = [versions[each] for each in asked.versions.split(',')]
if asked.role == 'client':
    settings.original_version = settings.supported_versions[0]
if asked.cipher:
    settings.cipher_suites = [CipherSuite[asked.cipher]]
if asked.key_log:
    settings.secrets_log_file = open(asked.key_log, 'a')


class End(QuicConnectionProtocol):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.heard = {}
        self.done = {}
        self.h3 = None
        self.datagrams = 0
        self.all_datagrams = asyncio.Event()

    def quic_event_received(self, event):
        if isinstance(event, events.HandshakeCompleted):
            say(
                f'HANDSHAKE version={self._quic._version:#x} alpn={event.alpn_protocol} '
                f'resumed={event.session_resumed} early={event.early_data_accepted} '
                f'cipher={self._quic.tls.key_schedule.cipher_suite.name}'
            )
        elif isinstance(event, events.ConnectionTerminated):
            say(f'TERMINATED {event.error_code:#x} {event.reason_phrase}')
        elif isinstance(event, events.StreamReset):
            say(f'RESET {event.stream_id} {event.error_code:#x}')
        elif isinstance(event, events.StopSendingReceived):
            say(f'STOPPED {event.stream_id} {event.error_code:#x}')

    def alpn(self):
        return self._quic.tls.alpn_negotiated or asked.alpn


class Server(End):
    def quic_event_received(self, event):
        super().quic_event_received(event)
        if self.alpn() == 'h3':
            self.h3 = self.h3 or H3Connection(self._quic)
            for each in self.h3.handle_event(event):
                self.http(each)
        elif isinstance(event, events.StreamDataReceived):
            if self.alpn() == 'hq-interop':
                self.hq(event)
            else:
                self._quic.send_stream_data(event.stream_id, event.data, event.end_stream)
        elif isinstance(event, events.DatagramFrameReceived):
            say(f'DATAGRAM {len(event.data)}')
            self._quic.send_datagram_frame(event.data)
        self.transmit()

    def file(self, path):
        with open(os.path.join(asked.root, path.lstrip('/')), 'rb') as file:
            return file.read()

    def hq(self, event):
        line = self.heard.setdefault(event.stream_id, bytearray())
        line += event.data
        if b'\n' in line or event.end_stream:
            self._quic.send_stream_data(event.stream_id, self.file(line.split()[1].decode()), True)

    def http(self, event):
        if isinstance(event, h3.HeadersReceived):
            self.done[event.stream_id] = dict(event.headers)
        if isinstance(event, h3.DataReceived):
            self.heard.setdefault(event.stream_id, bytearray()).extend(event.data)
        if isinstance(event, (h3.HeadersReceived, h3.DataReceived)) and event.stream_ended:
            asked_for = self.done.pop(event.stream_id)
            body = bytes(self.heard.pop(event.stream_id, b''))
            if asked_for[b':method'] == b'GET':
                body = self.file(asked_for[b':path'].decode())
            self.h3.send_headers(event.stream_id, [(b':status', b'200'), (b'content-length', str(len(body)).encode())])
            self.h3.send_data(event.stream_id, body, True)
            say(f'SERVED {asked_for[b":method"].decode()} {len(body)}')


class Client(End):
    def quic_event_received(self, event):
        super().quic_event_received(event)
        if self.h3:
            for each in self.h3.handle_event(event):
                if isinstance(each, h3.DataReceived):
                    self.take(each.stream_id, each.data, each.stream_ended)
                elif isinstance(each, h3.HeadersReceived):
                    self.take(each.stream_id, b'', each.stream_ended)
        elif isinstance(event, events.StreamDataReceived):
            self.take(event.stream_id, event.data, event.end_stream)
        elif isinstance(event, events.DatagramFrameReceived):
            self.datagrams += 1
            if self.datagrams >= asked.datagrams:
                self.all_datagrams.set()

    def take(self, stream, data, ended):
        self.heard.setdefault(stream, bytearray()).extend(data)
        if ended and stream in self.done:
            self.done[stream].set()

    def ask(self, payload):
        stream = self._quic.get_next_available_stream_id()
        self.done[stream] = asyncio.Event()
        if asked.alpn == 'h3':
            self.h3 = self.h3 or H3Connection(self._quic)
            control = [(':method', 'GET'), (':scheme', 'https'), (':authority', 'localhost'), (':path', asked.path)]
            self.h3.send_headers(stream, [(name.encode(), value.encode()) for name, value in control], True)
        else:
            self._quic.send_stream_data(stream, payload, True)
        self.transmit()
        return stream

    async def move(self):
        loop = asyncio.get_running_loop()
        port = socket.socket(self._transport.get_extra_info('socket').family, socket.SOCK_DGRAM)
        if port.family == socket.AF_INET6:
            port.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        port.bind(('::' if port.family == socket.AF_INET6 else asked.host, 0))
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=port)
        self._quic.change_connection_id()
        say('MIGRATED')


async def server():
    settings.load_cert_chain(asked.certificate, asked.key)
    tickets = {}
    await serve(
        asked.host,
        asked.port,
        configuration=settings,
        create_protocol=Server,
        retry=asked.retry,
        session_ticket_fetcher=lambda label: tickets.pop(label, None),
        session_ticket_handler=lambda ticket: tickets.__setitem__(ticket.ticket, ticket),
    )
    say('LISTENING')
    await asyncio.Event().wait()


async def client():
    settings.load_verify_locations(asked.ca)
    settings.server_name = 'localhost'
    if asked.session and os.path.exists(asked.session):
        with open(asked.session, 'rb') as file:
            settings.session_ticket = pickle.load(file)

    ticket_came = asyncio.Event()

    def keep(ticket):
        with open(asked.session, 'wb') as file:
            pickle.dump(ticket, file)
        ticket_came.set()

    async with connect(
        asked.host,
        asked.port,
        configuration=settings,
        create_protocol=Client,
        session_ticket_handler=keep if asked.session else None,
        wait_connected=not asked.early,
    ) as end:
        is_http = asked.alpn in ('h3', 'hq-interop')
        payload = f'GET {asked.path}\r\n'.encode() if is_http else os.urandom(asked.size)
        rounds = 2 if asked.key_update or asked.migrate or asked.new_cid else 1
        for turn in range(rounds):
            if turn == 1:
                await end.ping()
                if asked.key_update:
                    end.request_key_update()
                    say('KEY UPDATE')
                if asked.new_cid:
                    end.change_connection_id()
                if asked.migrate:
                    await end.move()
            streams = [end.ask(payload) for _ in range(asked.streams)]
            await asyncio.wait_for(asyncio.gather(*[end.done[each].wait() for each in streams]), 60)
            for each in streams:
                body = bytes(end.heard[each])
                if is_http:
                    say(f'GOT {len(body)} {hashlib.sha256(body).hexdigest()}')
                elif body != payload:
                    say('DIFFERENT')
                    sys.exit(1)
        for number in range(asked.datagrams):
            end._quic.send_datagram_frame(b'datagram %d' % number)
            end.transmit()
        if asked.datagrams:
            await asyncio.wait_for(end.all_datagrams.wait(), 10)
            say(f'DATAGRAMS {end.datagrams}')
        if asked.session:
            await asyncio.wait_for(ticket_came.wait(), 10)
        say('OK')


asyncio.run(server() if asked.role == 'server' else client())
