# Reads lines {"full": schema, "bare": schema, "hex": record}; parses both schemas,
# reads the record by the bare one and writes it again. Answers with the bytes.
import io
import json
import sys

import fastavro

for line in sys.stdin:
    case = json.loads(line)
    try:
        fastavro.parse_schema(json.loads(case["full"]))
        schema = fastavro.parse_schema(json.loads(case["bare"]))
        src = io.BytesIO(bytes.fromhex(case["hex"]))
        value = fastavro.schemaless_reader(src, schema, None, return_record_name=True)
        if src.read():
            raise ValueError("bytes are left")
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, value)
        print(json.dumps({"hex": out.getvalue().hex()}))
    except Exception as e:
        print(json.dumps({"error": repr(e)}))
    sys.stdout.flush()
