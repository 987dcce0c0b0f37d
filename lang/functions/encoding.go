package functions

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/url"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func encodings() map[string]function.Function {
	return map[string]function.Function{
		"base64decode": stringFunc(decode64), "base64encode": stringFunc(encode64), "csvdecode": stdlib.CSVDecodeFunc,
		"jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"urlencode": stringFunc(func(s string) (string, error) { return url.QueryEscape(s), nil }),
		"md5":       stringFunc(hexDigest(md5.New)), "sha1": stringFunc(hexDigest(sha1.New)),
		"sha256": stringFunc(hexDigest(sha256.New)), "sha512": stringFunc(hexDigest(sha512.New)),
	}
}

// stringFunc makes a function of a function from string to string.
func stringFunc(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{parameter("string", cty.String)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			out, err := f(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(out), nil
		},
	})
}

func encode64(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }

func decode64(s string) (string, error) {
	out, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", errors.New("is not base64")
	}
	if !utf8.Valid(out) {
		return "", errors.New("decodes to bytes that are not UTF-8")
	}
	return string(out), nil
}

func hexDigest(algorithm func() hash.Hash) func(string) (string, error) {
	return func(s string) (string, error) {
		h := algorithm()
		h.Write([]byte(s))
		return hex.EncodeToString(h.Sum(nil)), nil
	}
}
