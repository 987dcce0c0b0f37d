"""Computes an ONNX model with ONNX Runtime, again and again, for a program that writes to its standard input.

    python3 - MODEL off|on THREADS < ...

First it prints a line of JSON: {"version": ...}, or {"error": ...}. Then it reads requests and answers each. A request is a line of
JSON, a list of [name, type, shape], followed by the bytes of these arrays. The answer has the same form: the model's outputs, or
{"error": ...}. "off" is without any optimization of the graph.
"""
import json
import sys


def main(path, optimize, threads):
    requests, answers = sys.stdin.buffer, sys.stdout.buffer

    def say(line, arrays=()):
        answers.write(json.dumps(line).encode() + b"\n")
        for a in arrays:
            answers.write(a.tobytes())
        answers.flush()

    try:
        import numpy as np
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as e:  # whatever it is, the caller says it
        say({"error": "%s: %s" % (type(e).__name__, e)})
        return
    names = [o.name for o in session.get_outputs()]
    say({"version": ort.__version__})
    while line := requests.readline():
        feed = {}
        for name, kind, shape in json.loads(line):
            a = np.empty(shape, kind)
            requests.readinto(memoryview(a).cast("B")) if a.size else None
            feed[name] = a
        try:
            outputs = [np.ascontiguousarray(y) for y in session.run(names, feed)]
        except Exception as e:
            say({"error": "%s: %s" % (type(e).__name__, e)})
            continue
        say([[n, y.dtype.name, list(y.shape)] for n, y in zip(names, outputs)], outputs)


main(sys.argv[1], sys.argv[2] == "on", int(sys.argv[3]))
