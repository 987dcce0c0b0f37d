package scalars

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"qpipe/interp/part"
)

// TensorBoardArgs are the arguments of TensorBoard.
type TensorBoardArgs struct{ Every }

// TensorBoardDefaults returns TensorBoard's defaults.
func TensorBoardDefaults() TensorBoardArgs { return TensorBoardArgs{Every{IntervalSteps: 50}} }

// eventsFile is the name of the file: TensorBoard reads files that have "tfevents" in their names.
const eventsFile = "events.out.tfevents"

type tensorBoard struct{ TensorBoardArgs }

// NewTensorBoard returns the callback that writes an event file.
func NewTensorBoard(a TensorBoardArgs) (part.Callback, error) { return tensorBoard{a}, a.Validate() }

// Files implements part.Recorder.
func (tensorBoard) Files() []string { return []string{eventsFile} }

// Record implements part.Recorder: an event for each point, a value in it for each metric. What an epoch repeats of the
// validation before it is left out.
func (t tensorBoard) Record(r *part.Record) error {
	points := t.points(r.Points)
	if len(points) == 0 {
		return nil
	}
	file := record(nil, header(points[0].Time))
	seen := map[string]int{} // by tag, the last step
	for _, p := range points {
		var values []byte
		for _, v := range scalars(p) {
			if at, ok := seen[v.tag]; ok && at == p.Step {
				continue
			}
			seen[v.tag] = p.Step
			values = v.append(values)
		}
		if values != nil {
			file = record(file, event(p, values))
		}
	}
	return r.Write(eventsFile, file)
}

// scalar is a value with the name that TensorBoard shows it under; charts are grouped by what is before the slash.
type scalar struct {
	tag   string
	value float64
}

// scalars returns the values of a point, sorted by tag.
func scalars(p part.Point) (list []scalar) {
	if p.LR != nil {
		list = append(list, scalar{"train/lr", *p.LR})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Metrics)) {
		tag := "validation/" + name
		switch {
		case p.Kind == step:
			tag = "train/batch_" + name
		case p.Kind != validation && part.IsLoss(name):
			tag = "train/" + name
		}
		list = append(list, scalar{tag, p.Metrics[name]})
	}
	return list
}

// An event file is a row of records of TensorFlow's TFRecord format, each an Event in protobuf's encoding
// (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto). These are the numbers of the fields in use.
const (
	eventTime    = 1 // double, seconds since 1970
	eventStep    = 2 // int64
	eventVersion = 3 // string, of the first event
	eventSummary = 5 // Summary

	summaryValue = 1 // Summary.Value

	valueTag    = 1 // string
	valueSimple = 2 // float
)

func header(at time.Time) []byte {
	b := appendTime(nil, at)
	b = protowire.AppendTag(b, eventVersion, protowire.BytesType)
	return protowire.AppendString(b, "brain.Event:2")
}

// event is the Event of a point with the given summary.
func event(p part.Point, summary []byte) []byte {
	b := appendTime(nil, p.Time)
	b = protowire.AppendTag(b, eventStep, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(p.Step))
	b = protowire.AppendTag(b, eventSummary, protowire.BytesType)
	return protowire.AppendBytes(b, summary)
}

func appendTime(b []byte, at time.Time) []byte {
	seconds := 0.0
	if !at.IsZero() {
		seconds = float64(at.UnixMicro()) / 1e6
	}
	b = protowire.AppendTag(b, eventTime, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(seconds))
}

// append adds the value to a summary.
func (s scalar) append(summary []byte) []byte {
	b := protowire.AppendTag(nil, valueTag, protowire.BytesType)
	b = protowire.AppendString(b, s.tag)
	b = protowire.AppendTag(b, valueSimple, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, math.Float32bits(float32(s.value)))
	summary = protowire.AppendTag(summary, summaryValue, protowire.BytesType)
	return protowire.AppendBytes(summary, b)
}

// record appends data as a record: its length and the length's checksum, the data and its checksum.
func record(file, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	file = binary.LittleEndian.AppendUint32(append(file, length...), masked(length))
	return binary.LittleEndian.AppendUint32(append(file, data...), masked(data))
}

// masked is the checksum of the format: a CRC-32C, rotated by 15 bits to the right, plus a constant.
func masked(data []byte) uint32 {
	c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
