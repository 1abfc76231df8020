package jsonschema

// appendIndented appends a JSON document without blanks as Jackson indents it:
// members on lines of their own, two blanks for each object around, elements of arrays
// on one line.
func appendIndented(dst, doc []byte) []byte {
	objects := 0
	line := func() {
		dst = append(dst, '\n')
		for range objects {
			dst = append(dst, ' ', ' ')
		}
	}
	var inArray []bool // whether what is open is an array
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; c {
		case '"':
			start := i
			for i++; doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
			dst = append(dst, doc[start:i+1]...)
		case '{', '[':
			dst = append(dst, c)
			if doc[i+1] == c+2 { // empty
				dst = append(dst, ' ', c+2)
				i++
				continue
			}
			inArray = append(inArray, c == '[')
			if c == '[' {
				dst = append(dst, ' ')
				continue
			}
			objects++
			line()
		case '}', ']':
			inArray = inArray[:len(inArray)-1]
			if c == ']' {
				dst = append(dst, ' ', c)
				continue
			}
			objects--
			line()
			dst = append(dst, c)
		case ',':
			dst = append(dst, c)
			if inArray[len(inArray)-1] {
				dst = append(dst, ' ')
			} else {
				line()
			}
		case ':':
			dst = append(dst, " : "...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
