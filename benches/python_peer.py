#!/usr/bin/env python3
"""The same clip through maskgate and through what the Python scripts for mask detection are made of:
OpenCV for frames and faces, a Keras MobileNetV2 (1.0, 224 px, dense 128) for masks. Both on one core,
in turn; medians of three rounds.

    pip install tensorflow-cpu opencv-python-headless
    benches/python_peer.py MASKGATE CLIP YUNET

MASKGATE is the program, CLIP a motion JPEG (models/demo.mjpg), YUNET a YuNet file (ONNX): OpenCV's own face
detector, newer and smaller than the network those scripts load. The weights of the Keras network are
random: time and memory are the same, answers are not looked at. Size is that of the program, and of all
that is installed beside this Python.
"""

import json
import os
import pty
import statistics
import subprocess
import sys
import sysconfig
import time

ROUNDS = 3
# What a frame of 640x480 becomes for maskgate's detector too.
WIDTH, HEIGHT = 320, 240


def script(clip, yunet):
    """One run of the Python pipeline; says on standard output what `measure` reads."""
    import cv2
    import numpy as np
    from tensorflow import keras

    cv2.setNumThreads(1)
    finder = cv2.FaceDetectorYN.create(yunet, "", (WIDTH, HEIGHT), 0.6)
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(224, 224, 3))
    layers = keras.layers
    head = [layers.AveragePooling2D(7), layers.Flatten(), layers.Dense(128, activation="relu"),
            layers.Dropout(0.5), layers.Dense(3, activation="softmax")]
    network = keras.Sequential([base, *head])
    frames = faces = 0
    capture = cv2.VideoCapture(clip)
    while True:
        there, frame = capture.read()
        if not there:
            break
        height, width = frame.shape[:2]
        _, found = finder.detect(cv2.resize(frame, (WIDTH, HEIGHT)))
        crops = []
        for left, top, across, down in [] if found is None else found[:, :4]:
            left, across = (int(v * width / WIDTH) for v in (left, across))
            top, down = (int(v * height / HEIGHT) for v in (top, down))
            crop = frame[max(top, 0) : top + down, max(left, 0) : left + across]
            if crop.size:
                crop = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), (224, 224))
                crops.append(crop / np.float32(127.5) - np.float32(1))
        # Quicker than `predict`, which the scripts call.
        for crop in crops:
            network.predict_on_batch(crop[None])
        faces += len(crops)
        frames += 1
        if crops and faces == len(crops):
            print(json.dumps({"first": frames}), flush=True)
    print(json.dumps({"frames": frames, "faces": faces}), flush=True)


def lines(terminal):
    """What comes from a terminal until its other end is closed, which it calls an error."""
    with open(terminal, encoding="utf-8") as words:
        try:
            yield from words
        except OSError:
            pass


def measure(command):
    """Seconds until the first answer about a mask, milliseconds a frame after it, peak memory in MB,
    frames and faces."""
    start = time.monotonic()
    first, last, frames, faces, after = None, start, 0, 0, 0
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    # A terminal gets each line when it is written; through a pipe they would come by the hundred.
    ours, theirs = pty.openpty()
    child = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    for line in lines(ours):
        last = time.monotonic()
        told = json.loads(line)
        if "first" in told:
            first, after = last, told["first"]
        elif told.get("type") == "frame":
            frames += 1
            faces += len(told["faces"])
            if first is None and told["faces"]:
                first, after = last, frames
        elif "fps" not in told and "frames" in told:
            frames, faces = told["frames"], told["faces"]
    _, status, usage = os.wait4(child.pid, 0)
    if status or first is None:
        sys.exit(f"{command[0]}: failed, or found no face in the clip")
    return first - start, 1000 * (last - first) / (frames - after), usage.ru_maxrss / 1024, frames, faces


def size(path):
    """Bytes of a file, or of all files below a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    files = (os.path.join(at, name) for at, _, names in os.walk(path) for name in names)
    return sum(os.path.getsize(file) for file in files if not os.path.islink(file))


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    maskgate, clip, yunet = sys.argv[1:]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    commands = {
        "maskgate": [maskgate, "video", clip, "--json"],
        "Python": [sys.executable, __file__, "--script", clip, yunet],
    }
    runs = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            runs[name].append(measure(command))
    rows = {name: [statistics.median(column) for column in zip(*run)] for name, run in runs.items()}
    rows["maskgate"].insert(3, size(maskgate) / 1e6)
    rows["Python"].insert(3, size(sysconfig.get_paths()["purelib"]) / 1e6)
    units = ["s to the first answer", "ms a frame", "MB of memory", "MB installed", "frames", "faces"]
    print(f"{'':24}{'maskgate':>12}{'Python':>12}{'ratio':>8}")
    for unit, ours, theirs in zip(units, rows["maskgate"], rows["Python"]):
        print(f"{unit:24}{ours:12.2f}{theirs:12.2f}{theirs / ours:8.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--script"]:
        script(*sys.argv[2:])
    else:
        main()
