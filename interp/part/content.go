package part

import "bytes"

// Recognize tells from its first bytes (512 are enough) what a file is. It is for messages
// about a file that is not of the expected kind: what is the kind of the file, way is what
// the user can do. Both are "" if the kind is not known.
func Recognize(head []byte) (what, way string) {
	if len(head) == 0 {
		return "an empty file", "fetch it again"
	}
	for _, k := range magics() {
		if len(head) >= k.at && bytes.HasPrefix(head[k.at:], []byte(k.bytes)) {
			return k.what, k.way
		}
	}
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"))
	for _, tag := range []string{"<!doctype html", "<html", "<?xml", "<head"} {
		if bytes.HasPrefix(text, []byte(tag)) {
			return "a web page", "the download returned a page instead of the file: open the page in a browser, and fetch the file itself"
		}
	}
	return "", ""
}

// magic is a sequence of bytes near the beginning of a file that identifies its kind.
type magic struct {
	bytes     string
	at        int // offset in the file
	what, way string
}

func magics() []magic {
	const unpack, save = "unpack it", "save the tensors as safetensors: safetensors.torch.save_file(model.state_dict(), path)"
	return []magic{
		{"version https://git-lfs.github.com/spec/", 0, "a Git LFS pointer", "run `git lfs pull` to fetch the file itself"},
		{"\x1f\x8b", 0, "a gzip file", unpack},
		{"PK\x03\x04", 0, "a zip archive, as PyTorch's .pt and .pth files are", "unpack it; for a PyTorch file, " + save},
		{"PK\x05\x06", 0, "an empty zip archive", "fetch it again"},
		{"\x80\x02", 0, "a pickle, as Python and PyTorch write", save},
		{"\x80\x03", 0, "a pickle, as Python and PyTorch write", save},
		{"\x80\x04", 0, "a pickle, as Python and PyTorch write", save},
		{"\x80\x05", 0, "a pickle, as Python and PyTorch write", save},
		{"\x93NUMPY", 0, "a NumPy array", "save the tensors as safetensors"},
		{"\x89HDF", 0, "an HDF5 file", "save the tensors as safetensors"},
		{"GGUF", 0, "a GGUF file", "save the tensors as safetensors"},
		{"BZh", 0, "a bzip2 file", unpack},
		{"\xfd7zXZ", 0, "an xz file", unpack},
		{"\x28\xb5\x2f\xfd", 0, "a zstd file", unpack},
		{"7z\xbc\xaf", 0, "a 7z archive", unpack},
		{"Rar!", 0, "a rar archive", unpack},
		{"ustar", 257, "a tar archive", unpack},
		{"\x89PNG", 0, "a PNG image", "name the file of the data"},
		{"\xff\xd8\xff", 0, "a JPEG image", "name the file of the data"},
		{"%PDF", 0, "a PDF document", "name the file of the data"},
	}
}
