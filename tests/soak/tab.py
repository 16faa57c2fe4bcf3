"""A browser tab without a browser: Streamlit's own messages over its web socket, and its upload endpoint."""

import contextlib
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect

PATIENCE_S = 60.0
LARGEST = 64 << 20


@dataclass(slots=True)
class Drawn:
    """What the server sent for one run of a script.

    Attributes:
        elements: The drawn elements in order of arrival.
        raw: Everything that was sent, as bytes.
        seconds: From the request to the end of the run.
        again: Fragment ids that ask to be run again, with their interval in seconds.
    """

    elements: list[Any] = field(default_factory=list)
    raw: bytes = b""
    seconds: float = 0.0
    again: dict[str, float] = field(default_factory=dict)

    def widget(self, kind: str, label: str) -> str | None:
        """Id of the last widget of a kind with this label."""
        drawn = [getattr(one, kind) for one in self.elements if one.WhichOneof("type") == kind]
        found = [widget.id for widget in drawn if widget.label == label]
        return found[-1] if found else None

    def exceptions(self) -> list[str]:
        """Exceptions that were drawn."""
        return [
            element.exception.message
            for element in self.elements
            if element.WhichOneof("type") == "exception"
        ]

    def errors(self) -> list[str]:
        """Red boxes that were drawn."""
        return [
            element.alert.body
            for element in self.elements
            if element.WhichOneof("type") == "alert" and element.alert.format == element.alert.ERROR
        ]


class Tab:
    """One session.

    Args:
        url: Of the server.
        query: Of the address, which pins the dataset.
    """

    def __init__(self, url: str, query: str) -> None:
        self._url, self._query, self.session, self._page = url, query, "", ""
        self._socket: ClientConnection = connect(
            f"ws{url.removeprefix('http')}/_stcore/stream", max_size=LARGEST, compression=None
        )
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=PATIENCE_S) as answer:  # noqa: S310
            cookies = "".join(answer.headers.get_all("Set-Cookie") or [])
        self._xsrf = cookies.split("_streamlit_xsrf=", 1)[-1].split(";", 1)[0] if cookies else ""

    def close(self) -> None:
        """Close the tab."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def opened(self, page: str) -> Drawn:
        """What another page draws, by the last part of its address.

        Raises:
            TimeoutError: It did not end within a minute.
        """
        message = BackMsg()
        message.rerun_script.query_string, message.rerun_script.page_name = self._query, page
        return self._sent(message)

    def run(self, *, widgets: Iterable[WidgetState] = (), fragment: str = "") -> Drawn:
        """What the open page draws after a change of widgets, or one of its fragments by itself.

        Raises:
            TimeoutError: It did not end within a minute.
        """
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash = self._query, self._page
        state.fragment_id, state.is_auto_rerun = fragment, bool(fragment)
        state.widget_states.widgets.extend(widgets)
        return self._sent(message)

    def uploaded(self, drawn: Drawn, name: str, content: bytes) -> Drawn:
        """Give a file to the page's uploader; what the page draws then."""
        request = BackMsg()
        request.file_urls_request.request_id = uuid.uuid4().hex
        request.file_urls_request.session_id = self.session
        request.file_urls_request.file_names.append(name)
        self._socket.send(request.SerializeToString())
        deadline = time.monotonic() + PATIENCE_S
        while (answer := self._received(deadline)).WhichOneof("type") != "file_urls_response":
            pass
        (urls,) = answer.file_urls_response.file_urls
        self._put(urls.upload_url, name, content)
        widget = WidgetState(id=uploader(drawn))
        info = widget.file_uploader_state_value.uploaded_file_info.add()
        info.file_id, info.name, info.size = urls.file_id, name, len(content)
        info.file_urls.CopyFrom(urls)
        return self.run(widgets=[widget])

    def _put(self, address: str, name: str, content: bytes) -> None:
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
        request = urllib.request.Request(  # noqa: S310 - our own server
            urllib.parse.urljoin(f"{self._url}/", address), data=body, method="PUT"
        )
        request.add_header("Content-Type", f"multipart/form-data; boundary={edge}")
        request.add_header("X-Xsrftoken", self._xsrf)
        request.add_header("Cookie", f"_streamlit_xsrf={self._xsrf}")
        with urllib.request.urlopen(request, timeout=PATIENCE_S):  # noqa: S310
            pass

    def _sent(self, message: BackMsg) -> Drawn:
        drawn, began = Drawn(), time.monotonic()
        self._socket.send(message.SerializeToString())
        while True:
            received = self._received(began + PATIENCE_S, drawn)
            kind = received.WhichOneof("type")
            if kind == "new_session":
                self.session = received.new_session.initialize.session_id
            elif kind == "delta" and received.delta.WhichOneof("type") == "new_element":
                drawn.elements.append(received.delta.new_element)
            elif kind == "navigation":
                self._page = received.navigation.page_script_hash
            elif kind == "auto_rerun":
                drawn.again[received.auto_rerun.fragment_id] = received.auto_rerun.interval
            elif kind == "page_info_changed":
                self._query = received.page_info_changed.query_string
            elif kind == "script_finished":
                # After ``st.rerun`` the next run begins by itself.
                if received.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    drawn.elements.clear()
                    continue
                drawn.seconds = time.monotonic() - began
                return drawn

    def _received(self, deadline: float, drawn: Drawn | None = None) -> ForwardMsg:
        data = self._socket.recv(timeout=max(deadline - time.monotonic(), 0.01))
        if drawn is not None:
            drawn.raw += data if isinstance(data, bytes) else data.encode()
        message = ForwardMsg()
        message.ParseFromString(data)
        return message


def uploader(drawn: Drawn) -> str:
    """Id of the file uploader."""
    found = [one.file_uploader.id for one in drawn.elements if one.WhichOneof("type") == "file_uploader"]
    return found[-1]


def pressed(widget: str) -> WidgetState:
    """A button that was pressed."""
    return WidgetState(id=widget, trigger_value=True)
