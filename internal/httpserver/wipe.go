package httpserver

import "reflect"

// wipe clears what is secret in a body that was decoded only in part and that no
// handler will see: whatever has a Wipe method, and raw bytes.
func wipe(v reflect.Value) {
	if v.CanInterface() {
		if w, ok := v.Interface().(interface{ Wipe() }); ok {
			w.Wipe()
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			wipe(v.Elem())
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			wipe(f)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			clear(v.Bytes())
			return
		}
		for i := range v.Len() {
			wipe(v.Index(i))
		}
	}
}
