// A tablet whose cameras a test plays: who stands before them, how they fail, which there are.
{
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 480;
  const pen = canvas.getContext("2d");
  const played = (window.played = {
    /** Who stands there, as an address of a picture; nobody where empty. */
    person: "",
    /** "live", "frozen": nothing is delivered any more, or "repeated": the last picture is delivered again. */
    state: "live",
    /** The name of the error that the camera is refused with. */
    refused: "",
    /** The ids of the cameras that are plugged in. */
    cameras: ["front", "back"],
    hasTorch: false,
    torch: false,
    /** Which cameras were opened, in this order. */
    opened: [],
    stand: async (source) => {
      const picture = new Image();
      picture.src = source;
      await picture.decode();
      played.person = picture;
    },
    end: () => {
      const [track] = document.querySelector("video").srcObject.getVideoTracks();
      track.stop();
      track.dispatchEvent(new Event("ended"));
    },
    plug: (...ids) => {
      played.cameras = ids;
      navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    },
  });
  let at = 0;
  const draw = () => {
    if (played.state === "frozen") return;
    if (played.state === "live") at += 1;
    pen.fillStyle = at % 2 ? "#888888" : "#8b8b8b";
    pen.fillRect(0, 0, 640, 480);
    if (!played.person) return;
    const { naturalWidth: width, naturalHeight: height } = played.person;
    const scale = 500 / height;
    pen.drawImage(played.person, 320 - (width * scale) / 2 + (at % 3), -(at % 3), width * scale, 500);
  };
  setInterval(draw, 80);
  draw();
  navigator.mediaDevices.getUserMedia = async ({ video }) => {
    if (played.refused) throw new DOMException("played", played.refused);
    const id = video.deviceId?.exact ?? played.cameras[0];
    if (!played.cameras.length) throw new DOMException("played", "NotFoundError");
    if (!played.cameras.includes(id)) throw new DOMException("played", "OverconstrainedError");
    played.opened.push(id);
    const stream = canvas.captureStream(12);
    const [track] = stream.getVideoTracks();
    const own = track.getSettings.bind(track);
    track.getSettings = () => ({ ...own(), deviceId: id });
    track.getCapabilities = () => (played.hasTorch ? { torch: true } : {});
    track.applyConstraints = async ({ advanced }) => {
      played.torch = advanced[0].torch;
    };
    return stream;
  };
  navigator.mediaDevices.enumerateDevices = async () =>
    played.cameras.map((deviceId) => ({ kind: "videoinput", deviceId, label: `Camera ${deviceId}` }));
}
