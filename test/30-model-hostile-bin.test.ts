import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { loadBase } from '../lib/runtime/load.js';
import { expectRefusal } from './hostile.js';
import { safetensors } from './safetensors.js';
import { dict, int, legacyForm, no, none, pickle, storage, tensor, text, twoFloats, yes, zipForm } from './torch-files.js';
import { u16, u32, u64, type ZipEnd, type ZipPart, zip } from './zip.js';

// What stands around the pickles: zip archives, the form before torch 1.6, indexes of shards.

const folder = mkdtempSync(join(tmpdir(), 'distiltune-'));
afterAll(() => rmSync(folder, { recursive: true }));

function written(bytes: Buffer | string): string {
	const file = join(folder, 'pytorch_model.bin');
	writeFileSync(file, bytes);
	return file;
}

const open = (bytes: Buffer | string) => loadBase().openTensors(written(bytes));

function expectRefused(bytes: Buffer | string, message: RegExp): void {
	const file = written(bytes);
	expectRefusal(() => loadBase().openTensors(file), 'PYTORCH_BIN_INVALID', message);
}

const program = Buffer.from(pickle(dict(text('t') + tensor(storage('0', 2)))), 'latin1');
const data: ZipPart = { name: 'm/data.pkl', data: program };
const floats: ZipPart = { name: 'm/data/0', data: twoFloats };
const sound = zip([data, floats]);
const values = (bytes: Buffer) => Array.from(open(bytes).read(0));

/** A data descriptor (APPNOTE.TXT 4.3.9), with sizes of four or eight bytes. */
const descriptor = (bytes: Buffer, size: (value: number) => Buffer, crc = crc32(bytes)) =>
	Buffer.concat([Buffer.from('PK\x07\x08'), u32(crc), size(bytes.length), size(bytes.length)]);
const deferred = { crc: 0, compressed: 0, size: 0 };
/** The zip64 field (4.5.3). */
const zip64 = (...numbers: readonly number[]) => Buffer.concat([u16(1), u16(8 * numbers.length), ...numbers.map(u64)]);
/** The zip64 end record and its locator (4.3.14, 4.3.15). */
const end64 =
	(changes: Partial<Record<'count' | 'length' | 'begin' | 'at', number>> = {}): ZipEnd['before'] =>
	(end) => {
		const { count, length, begin, at } = { ...end, at: end.begin + end.length, ...changes };
		const record = [u64(44), u16(45), u16(45), u32(0), u32(0), u64(count), u64(count), u64(length), u64(begin)];
		return Buffer.concat([Buffer.from('PK\x06\x06'), ...record, Buffer.from('PK\x06\x07'), u32(0), u64(at), u32(1)]);
	};

describe('a zip is read', () => {
	const padding = Buffer.concat([Buffer.from('FB'), u16(40), Buffer.alloc(40, 'Z')]);
	const streamed = (size: (value: number) => Buffer) =>
		[data, floats].map((part) => ({ ...part, flags: 0x808, local: deferred, descriptor: descriptor(Buffer.from(part.data), size) }));
	const big = (part: ZipPart) => {
		const { length } = part.data;
		return { ...part, compressed: 0xffffffff, size: 0xffffffff, extra: zip64(length, length) };
	};
	test.each<[string, Buffer]>([
		['as it is', sound],
		['with padding in front of the data', zip([data, { ...floats, local: { extra: padding } }])],
		['with sizes behind the data', zip(streamed(u32))],
		['with sizes of 64 bits behind the data', zip(streamed(u64))],
		['with sizes in zip64 fields', zip([big(data), big(floats)])],
		['with a zip64 end record', zip([data, floats], { before: end64() as NonNullable<ZipEnd['before']> })],
		['with all its numbers in that record', zip([data, floats], { before: end64() as never, count: 0xffff, length: 0xffffffff, begin: 0xffffffff })],
		['with its byte order', zip([data, floats, { name: 'm/byteorder', data: 'little' }])],
		['with members nobody reads', zip([data, floats, { name: 'm/.data/serialization_id', data: '12' }, { name: 'm/data/7', data: 'x' }])],
		['with a hole between members', zip([data, { ...floats, name: 'm/data/0' }].map((part) => ({ ...part, descriptor: Buffer.alloc(9) })))],
	])('%s', (_, bytes) => expect(values(bytes)).toEqual([1.5, -2]));
});

describe('a zip is refused', () => {
	const inside = zip([floats]).subarray(0, -22 - 46 - 8);
	const quoting: ZipPart = { name: 'm/quote', data: inside };
	const at = zip([data]).length - 22 - 46 - data.name.length; // where the second member begins
	const within = at + 30 + quoting.name.length;
	const zeros = Buffer.alloc(1 << 20);
	const deflated = deflateRawSync(zeros);
	const end = (changes: ZipEnd) => zip([data, floats], changes);
	const name = (other: string) => zip([data, floats, { name: other, data: 'x' }]);
	const second = (changes: Partial<ZipPart>) => zip([data, { ...floats, ...changes }]);
	const streamed = (bytes: Buffer) => second({ flags: 8, local: deferred, descriptor: bytes });
	test.each<[string, Buffer, RegExp]>([
		['for two data.pkl', zip([data, floats, data]), /`m\/data.pkl` is in the zip twice/],
		['for a member compressed 1000:1', second({ data: deflated, method: 8, size: zeros.length, crc: crc32(zeros) }), /`m\/data\/0` is compressed/],
		['for a compressed data.pkl', zip([{ ...data, data: deflateRawSync(program), method: 8 }, floats]), /`m\/data.pkl` is compressed/],
		['for a member quoted inside another', zip([data, quoting, { ...floats, offset: within }]), /overlaps another member/],
		['for two members on the same bytes', zip([data, floats, { name: 'm/data/1', data: '', offset: at }]), /disagrees with the zip's directory/],
		['for two sizes', second({ compressed: 7 }), /has two sizes/],
		['for a size larger than its data', second({ size: 80, compressed: 80 }), /which go past the zip's data/],
		['for a size of 2^32 - 1', second({ size: 0xffffffff, compressed: 0xffffffff }), /which go past the zip's data/],
		['for a size of 2^63', second({ size: 0xffffffff, compressed: 0xffffffff, extra: zip64(2 ** 63, 2 ** 63) }), /which go past the zip's data/],
		[
			'for a size that swallows the next member',
			zip([{ ...data, size: program.length + 40, compressed: program.length + 40 }, floats]),
			/overlaps another/,
		],
		['for another size in the local header', second({ local: { size: 4, compressed: 4 } }), /disagrees with the zip's directory/],
		['for no size in the local header', second({ local: { size: 0, compressed: 0 } }), /disagrees with the zip's directory/],
		['for another checksum in the local header', second({ local: { crc: 1 } }), /disagrees with the zip's directory/],
		['for another name in the local header', second({ local: { name: 'm/data/1' } }), /disagrees with the zip's directory/],
		['for another method in the local header', second({ local: { method: 8 } }), /disagrees with the zip's directory/],
		['for other flags in the local header', second({ local: { flags: 8 } }), /disagrees with the zip's directory/],
		['for an encrypted member', second({ flags: 1 }), /is encrypted or patched/],
		['for a strongly encrypted directory', second({ flags: 0x2000 }), /is encrypted or patched/],
		['for a local header that is not there', second({ offset: 1 }), /has no local header/],
		['for a local header outside the file', second({ offset: 0xfffffff0 }), /has no local header/],
		['for no descriptor', streamed(Buffer.alloc(0)), /unsound descriptor/],
		['for a descriptor of another checksum', streamed(descriptor(twoFloats, u32, 7)), /unsound descriptor/],
		['for a descriptor of another size', streamed(descriptor(Buffer.alloc(9), u32, crc32(twoFloats))), /unsound descriptor/],
		['for a descriptor without its signature', streamed(descriptor(twoFloats, u32).subarray(4)), /unsound descriptor/],
		['for an extra field that is cut short', second({ extra: Buffer.from([1, 0, 200, 0]) }), /extra field in the zip is cut short/],
		['for an extra field of three bytes', second({ extra: Buffer.from([1, 0, 0]) }), /extra field in the zip is cut short/],
		['for a wrong checksum of data.pkl', zip([{ ...data, crc: 7 }, floats]), /checksum of `data.pkl` is wrong/],
		['for a way out of its folder', name('m/../../x'), /not a plain path/],
		['for a path from the root', name('/m/x'), /not a plain path/],
		['for a path of Windows', name('m\\x'), /not a plain path/],
		['for a NUL in a name', name('m/x\0y'), /not a plain path/],
		['for a folder of its own', name('m/'), /not a plain path/],
		['for a member in no folder', name('x'), /not a plain path/],
		['for a member in another folder', name('n/x'), /`n\/x` is not in `m\/`/],
		['for no data.pkl', zip([floats]), /no data.pkl/],
		['for TorchScript', name('m/constants.pkl'), /TorchScript/],
		['for big-endian numbers', zip([data, floats, { name: 'm/byteorder', data: 'big' }]), /byteorder is not `little`/],
		['for a storage that is not there', zip([data]), /storage 0 that opcode BINPERSID at byte \d+ names is not in the zip/],
		['for a storage of another size', second({ data: 'twelve bytes' }), /has 2 elements of F32, but its member of the zip has 12 bytes/],
		['for a comment', end({ comment: 'x' }), /no end record as its last 22 bytes/],
		['for bytes behind it', Buffer.concat([sound, Buffer.from('x')]), /no end record/],
		['for a zip behind it', Buffer.concat([sound, sound]), /directory does not end where its end record begins/],
		['for bytes between directory and end record', end({ before: () => Buffer.from('x') }), /directory does not end where/],
		['for fewer members than it says', end({ count: 3 }), /directory is unsound|cut short/],
		['for more members than it says', end({ count: 1 }), /has more than its 1 members/],
		['for a directory longer than it is', end({ length: 1000 }), /directory does not end where/],
		['for a directory outside the file', end({ begin: 0xfffffff0 }), /directory does not end where/],
		['for a zip64 record that disagrees', end({ before: end64({ count: 3 }) as never }), /two end records of the zip disagree/],
		['for a zip64 record elsewhere', end({ before: end64({ at: 0 }) as never }), /zip64 end record is not where/],
		['for a zip64 directory of 2^63 bytes', end({ before: end64({ length: 2 ** 63 }) as never, length: 0xffffffff }), /directory does not end where/],
		['for 10,001 members', zip(Array.from({ length: 10_001 }, (_, i) => ({ name: `m/${i}`, data: '' }))), /has 10001 members/],
		['for 65,535 members without zip64', end({ count: 0xffff }), /has 65535 members/],
		['for a pickle of 65 MiB', zip([{ ...data, data: Buffer.alloc(65 << 20, 'N') }, floats]), /data.pkl has more than 64 MiB/],
	])('%s', (_, bytes, message) => expectRefused(bytes, message));

	test('cut anywhere', () => {
		for (let length = 0; length < sound.length; length++) expectRefused(sound.subarray(0, length), /./);
	});

	test('for a wrong checksum of a storage, when its values are wanted', () => {
		const opened = open(second({ crc: 7 }));
		expect(() => opened.read(0)).toThrow(
			expect.objectContaining({ code: 'PYTORCH_BIN_INVALID', message: expect.stringMatching(/checksum of the storage of `t` is wrong/) }),
		);
	});
});

describe('the form before torch 1.6', () => {
	const legacy = pickle(dict(text('t') + tensor(storage('0', 2, { more: none }))));
	const storages = { 0: twoFloats };
	const system = (entries: string) => legacyForm(legacy, storages, { system: pickle(dict(entries)) });
	const keys = (list: string) => legacyForm(legacy, storages, { keys: pickle(list) });
	const version = text('protocol_version') + int(1001);
	const order = text('little_endian') + yes;

	test('is read', () => expect(values(legacyForm(legacy))).toEqual([1.5, -2]));

	test.each<[string, Buffer, RegExp]>([
		['another protocol', system(text('protocol_version') + int(1002) + order), /protocol_version is not 1001/],
		['no protocol', system(order), /has no number `protocol_version`/],
		['big-endian numbers', system(version + text('little_endian') + no), /not little-endian/],
		['no byte order', system(version), /has no number `little_endian`/],
		['no facts about the system', legacyForm(legacy, storages, { system: pickle(none) }), /does not hold a dict/],
		['keys that are no list', keys(dict()), /does not hold a list of texts/],
		['keys that are numbers', keys(`]${int(0)}a`), /something that is not a text/],
		['no keys', keys(']'), /lists 0 storages, but its tensors use 1/],
		['another key', keys(`]${text('1')}a`), /it lists `1`, twice or for no tensor/],
		['one key twice', keys(`](${text('0')}${text('0')}e`), /lists 2 storages, but its tensors use 1/],
		['another number of elements', legacyForm(legacy, storages, { counts: { 0: 3 } }), /has 2 elements, but 3 stand before its data/],
		['2^60 elements', legacyForm(legacy, storages, { counts: { 0: 2n ** 60n } }), /but 1152921504606846976 stand before its data/],
		['fewer bytes than elements', legacyForm(legacy, { 0: twoFloats.subarray(0, 4) }), /has 8 bytes, which go past the end of the file/],
		['bytes at the end', legacyForm(legacy, storages, { after: 'cos\nsystem\n' }), /goes on for 11 bytes after its last storage/],
	])('is refused for %s', (_, bytes, message) => expectRefused(bytes, message));

	test('is refused cut anywhere', () => {
		const whole = legacyForm(legacy);
		for (let length = 0; length < whole.length; length++) expectRefused(whole.subarray(0, length), /./);
	});
});

describe('what is no file of torch', () => {
	test.each<[string, Buffer | string, RegExp]>([
		['nothing', '', /neither as a zip nor/],
		['zeros', Buffer.alloc(100), /neither as a zip nor/],
		['a pickle', Buffer.from(pickle(dict()), 'latin1'), /a Python pickle that torch.save did not write/],
		['a pickle of protocol 4', Buffer.from('\x80\x04\x95', 'latin1'), /a Python pickle/],
		[
			'a legacy file of version 1000',
			Buffer.from(legacyForm('').toString('latin1').replace('M\xe9\x03', 'M\xe8\x03'), 'latin1'),
			/another version than 1001/,
		],
		['safetensors', safetensors([]), /looks like safetensors/],
		['a Git-LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n', /Git-LFS pointer/],
		['an HTML page', '<!DOCTYPE html><html></html>', /HTML page/],
		['a gzip file', gzipSync('x'), /gzip/],
		['an empty zip', zip([]), /neither as a zip nor/],
	])('is named: %s', (_, bytes, message) => expectRefused(bytes, message));

	test('is refused at once where it is no regular file', () => {
		const read = (path: string) => () => loadBase().openTensors(path);
		mkdirSync(join(folder, 'folder.bin'));
		expect(read(join(folder, 'folder.bin'))).toThrow(expect.objectContaining({ code: 'FILE_NOT_READABLE' }));
		expect(read(join(folder, 'none.bin'))).toThrow(expect.objectContaining({ code: 'FILE_NOT_FOUND' }));
		if (process.platform === 'win32') return;
		execFileSync('mkfifo', [join(folder, 'fifo.bin')]);
		symlinkSync('/dev/zero', join(folder, 'zero.bin'));
		expect(read(join(folder, 'fifo.bin'))).toThrow(/a FIFO/);
		expect(read(join(folder, 'zero.bin'))).toThrow(/a device/);
	});
});

describe('an index of shards', () => {
	const one = Buffer.from(Float32Array.of(1).buffer);
	const shard = (...names: readonly string[]) => safetensors(names.map((name) => ({ name, dtype: 'F32', shape: [1], data: one })));
	const files = { 'a.safetensors': shard('t', 'u'), 'b.safetensors': shard('v') };
	const map = { t: 'a.safetensors', u: 'a.safetensors', v: 'b.safetensors' };

	/** Path of an index in a folder of its own, with these files beside it. */
	function indexWith(index: unknown, beside: Readonly<Record<string, Buffer>> = files, name = 'model.safetensors.index.json'): string {
		const place = mkdtempSync(join(folder, 'shards-'));
		for (const [file, bytes] of Object.entries(beside)) writeFileSync(join(place, file), bytes);
		writeFileSync(join(place, name), typeof index === 'string' ? index : JSON.stringify(index));
		return join(place, name);
	}
	const openIndex = (...index: Parameters<typeof indexWith>) => loadBase().openTensors(indexWith(...index));

	test('is read, whatever its total size says', () => {
		for (const total_size of [12, 2 ** 60, 'much', null]) {
			const opened = openIndex({ metadata: { total_size }, weight_map: map });
			expect(opened.tensors.map(({ name }) => name)).toEqual(['t', 'u', 'v']);
			expect(Array.from(opened.read(2))).toEqual([1]);
		}
		expect(openIndex({ weight_map: {} }).tensors).toEqual([]);
	});

	const bins = { 'a.bin': zipForm(program.toString('latin1')) };
	test('of pickles names pickles, one of safetensors names safetensors', () => {
		expect(openIndex({ weight_map: { t: 'a.bin' } }, bins, 'pytorch_model.bin.index.json').tensors).toHaveLength(1);
		const refusal = expect.objectContaining({
			code: 'WEIGHTS_INDEX_INVALID',
			message: expect.stringMatching(/not the plain name of a \.safetensors file/),
		});
		expect(() => openIndex({ weight_map: { t: 'a.bin' } }, bins)).toThrow(refusal);
		expect(() => openIndex({ weight_map: map }, files, 'pytorch_model.bin.index.json')).toThrow(/not the plain name of a \.bin file/);
	});

	test.each([
		...['../a.safetensors', '/a.safetensors', 'x/a.safetensors', './a.safetensors', '..\\a.safetensors', 'C:\\a.safetensors', 'C:a.safetensors'],
		...[
			'',
			'.',
			'..',
			'.safetensors',
			'.a.safetensors',
			'a.safetensors\0',
			'a.safetensors/',
			'a',
			'model.safetensors.index.json',
			'http://x/a.safetensors',
		],
	])('is refused where it names %j', (name) => {
		expect(() => openIndex({ weight_map: { ...map, v: name } })).toThrow(
			expect.objectContaining({ code: 'WEIGHTS_INDEX_INVALID', message: expect.stringMatching(/not the plain name/) }),
		);
	});

	test.each<[string, unknown, RegExp, Record<string, Buffer>?]>([
		['no object', [], /'\{' is missing/],
		['no map', {}, /no weight_map/],
		['a map that is a list', { weight_map: [] }, /'\{' is missing/],
		['a file that is a number', { weight_map: { t: 1 } }, /is missing/],
		['a map twice', '{"weight_map":{},"weight_map":{}}', /weight_map is there twice/],
		['a tensor twice in the map', '{"weight_map":{"t":"a.safetensors","t":"b.safetensors"}}', /`t` is there twice/],
		['text behind it', '{"weight_map":{}} x', /text after the end/],
		['nesting 100,000 deep', `{"metadata":${'['.repeat(100_000)}`, /nested too deep/],
		['a shard that is missing', { weight_map: { ...map, w: 'c.safetensors' } }, /names `c.safetensors`, which is not in its folder/],
		['a tensor that its shard lacks', { weight_map: { ...map, w: 'b.safetensors' } }, /`b.safetensors` has 1 of the 2 tensors/],
		[
			'a tensor in another shard',
			{ weight_map: { ...map, v: 'a.safetensors', u: 'b.safetensors' } },
			/`u` is in `a.safetensors`, but the index says `b/,
		],
		[
			'a tensor in two shards',
			{ weight_map: map },
			/`t` is in `b.safetensors`, but the index says `a/,
			{ ...files, 'b.safetensors': shard('v', 't') },
		],
		[
			'a tensor that it does not name',
			{ weight_map: map },
			/`w` is in `b.safetensors`, but the index does not name it/,
			{ ...files, 'b.safetensors': shard('v', 'w') },
		],
		['501 shards', { weight_map: Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`t${i}`, `${i}.safetensors`])) }, /names 501 files/],
		['33 MiB', ' '.repeat(33 << 20), /at most 33554432 are read/],
	])('is refused for %s', (_, index, message, beside) => {
		const path = indexWith(index, beside);
		expectRefusal(() => loadBase().openTensors(path), 'WEIGHTS_INDEX_INVALID', message);
	});

	test('a shard that is unsound is refused by its own name', () => {
		expect(() => openIndex({ weight_map: map }, { ...files, 'b.safetensors': Buffer.from('x') })).toThrow(
			expect.objectContaining({ code: 'SAFETENSORS_INVALID', message: expect.stringMatching(/b\.safetensors/) }),
		);
	});
});
