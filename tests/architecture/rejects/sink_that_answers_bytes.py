"""Nothing but a Receipt can come out of a sink."""

from transfer.model.ends import Parcel, Sink


class Talkative:
    def put(self, parcel: Parcel) -> bytes:
        return parcel.content.read()


sink: Sink = Talkative()  # refused
