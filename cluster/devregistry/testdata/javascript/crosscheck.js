// A producer and consumer with @kafkajs/confluent-schema-registry. It reads requests,
// one JSON object a line, and answers each with a line: what was asked for, or an error.
//   {"register": schema, "type": …, "subject": …}   {"id": …}
//   {"id": …, "encode": value}                      {"hex": record}
//   {"decode": hex}                                 {"value": …}
// A value has {"$bytes": hex}, {"$date": text} and {"$long": text} for what JSON lacks.
const { SchemaRegistry } = require('@kafkajs/confluent-schema-registry')
const { types } = require('avsc')
const Long = require('long')
const readline = require('readline')

// avsc leaves logical types to the program: these are a program's own.
class Millis extends types.LogicalType {
  _fromValue(n) { return new Date(n) }
  _toValue(d) { return d instanceof Date ? d.getTime() : undefined }
}
class Days extends types.LogicalType {
  _fromValue(n) { return new Date(n * 86400000) }
  _toValue(d) { return d instanceof Date ? d.getTime() / 86400000 : undefined }
}

const registry = new SchemaRegistry(
  { host: process.argv[2], retry: { retries: 1 } },
  {
    AVRO: { logicalTypes: { 'timestamp-millis': Millis, date: Days } },
    JSON: { strict: false }, // connect.index and its like are no keywords of ajv's
  },
)

function plain(v) {
  if (Buffer.isBuffer(v) || v instanceof Uint8Array) return { $bytes: Buffer.from(v).toString('hex') }
  if (v instanceof Date) return { $date: v.toISOString() }
  if (Long.isLong(v)) return { $long: v.toString() }
  if (Array.isArray(v)) return v.map(plain)
  if (v !== null && typeof v === 'object') return Object.fromEntries(Object.keys(v).map((k) => [k, plain(v[k])]))
  return v
}

function own(v) {
  if (Array.isArray(v)) return v.map(own)
  if (v === null || typeof v !== 'object') return v
  if (v.$bytes !== undefined) return Buffer.from(v.$bytes, 'hex')
  if (v.$date !== undefined) return new Date(v.$date)
  if (v.$long !== undefined) return Long.fromString(v.$long)
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, own(x)]))
}

async function answer(q) {
  if (q.register !== undefined) return registry.register({ type: q.type, schema: q.register }, { subject: q.subject })
  if (q.decode !== undefined) return { value: plain(await registry.decode(Buffer.from(q.decode, 'hex'))) }
  return { hex: (await registry.encode(q.id, own(q.encode))).toString('hex') }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const out = await answer(JSON.parse(line)).catch((e) => ({ error: `${e.name}: ${e.message} ${JSON.stringify(e.paths || '')}` }))
    process.stdout.write(JSON.stringify(out) + '\n')
  }
}

main()
