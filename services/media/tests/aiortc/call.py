"""A call by aiortc, a WebRTC stack that shares nothing with the host: posts an offer (WHIP), says a tone, and listens for it.

    call.py ADDRESS TOKEN HERTZ SECONDS

Ends with 0 when the tone came back, else says what was heard.
"""

import array
import asyncio
import fractions
import math
import sys

import aiohttp
import aioice.ice
import aiortc
import av

RATE = 48_000
FRAME = 960

# Of its own accord it leaves the loopback address out.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class Tone(aiortc.MediaStreamTrack):
    """20 ms of a sine each 20 ms."""

    kind = "audio"

    def __init__(self, hertz):
        super().__init__()
        self.hertz = hertz
        self.samples = 0
        self.began = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(max(0, self.began + self.samples / RATE - loop.time()))
        turn = 2 * math.pi * self.hertz / RATE
        sine = (int(9_000 * math.sin(turn * (self.samples + index))) for index in range(FRAME))
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(array.array("h", sine).tobytes())
        frame.sample_rate = RATE
        frame.pts = self.samples
        frame.time_base = fractions.Fraction(1, RATE)
        self.samples += FRAME
        return frame


def share_at(samples, hertz):
    """The share of the energy that is at a frequency (Goertzel)."""
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    one = two = 0.0
    for sample in samples:
        one, two = sample + turn * one - two, one
    energy = sum(sample * sample for sample in samples)
    at = one * one + two * two - turn * one * two
    return 0.0 if energy == 0 else 2 * at / (energy * len(samples))


async def listen(track, hertz, enough, done):
    """Counts the frames in which the tone is heard."""
    heard = 0
    while heard < enough:
        frame = await track.recv()
        channels = len(frame.layout.channels)
        samples = array.array("h", bytes(frame.planes[0])[: frame.samples * channels * 2])[::channels]
        heard += share_at(samples, hertz) > 0.8
    done.set_result(heard)


async def main(address, token, hertz, seconds):
    connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
    done = asyncio.get_running_loop().create_future()
    connection.addTrack(Tone(hertz))
    connection.on("track", lambda track: asyncio.ensure_future(listen(track, hertz, seconds * 50, done)))
    await connection.setLocalDescription(await connection.createOffer())
    headers = {"authorization": f"Bearer {token}", "content-type": "application/sdp"}
    async with aiohttp.ClientSession() as client:
        async with client.post(address, data=connection.localDescription.sdp, headers=headers) as answer:
            text = await answer.text()
            if answer.status != 201:
                sys.exit(f"the host answers {answer.status}: {text}")
            location = answer.headers["location"]
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(sdp=text, type="answer"))
        try:
            heard = await asyncio.wait_for(done, seconds + 30)
        except TimeoutError:
            sys.exit(f"the tone did not come back; the connection is {connection.connectionState}")
        bye = address[: address.index("/legs/")] + location
        async with client.delete(bye, headers=headers) as answer:
            if answer.status != 200:
                sys.exit(f"the end of the session is answered with {answer.status}")
    await connection.close()
    print(f"{heard} frames of {hertz} Hz came back")


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
