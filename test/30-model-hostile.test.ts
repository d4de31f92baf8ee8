import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { loadBase } from '../lib/runtime/load.js';
import { reference } from './models.js';
import { withHeader } from './safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'distiltune-'));
afterAll(() => rmSync(folder, { recursive: true }));

function header(bytes: Buffer | string) {
	const file = join(folder, 'hostile.safetensors');
	writeFileSync(file, bytes);
	return loadBase().openTensors(file).tensors;
}

/** One F32 tensor `t` of two values, with fields replaced by raw JSON text. */
function entry(fields: { dtype?: string; shape?: string; data_offsets?: string; more?: string } = {}, data = 'x'.repeat(8)): Buffer {
	const { dtype = '"F32"', shape = '[2]', data_offsets = '[0,8]', more = '' } = fields;
	return withHeader(`{"t":{"dtype":${dtype},"shape":${shape},"data_offsets":${data_offsets}${more}}}`, data);
}

const float = (name: string, begin: number, end: number, shape = `[${(end - begin) / 4}]`) =>
	`"${name}":{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;

const refused: [string, Buffer | string, RegExp][] = [
	['an empty file', '', /it has 0 bytes/],
	['seven bytes', 'x'.repeat(7), /it has 7 bytes/],
	['a header of 2^64 - 1 bytes', withHeader('{}', '', 2n ** 64n - 1n), /claims 18446744073709551615 bytes/],
	['a header of 100,000,001 bytes', withHeader('{}', '', 100_000_001n), /claims 100000001 bytes/],
	['a header longer than the file', withHeader('{}', '', 3n), /claims 3 bytes, but only 2 follow/],
	['a header of no bytes', withHeader(''), /does not start with '\{'/],
	['a header that is not UTF-8', withHeader(Buffer.from('{"\xff":1}', 'latin1')), /not UTF-8/],
	['a cut header', withHeader('{"t":{"dtype":"F32"'), /in its header/],
	['an array for a header', withHeader('[]'), /does not start with '\{'/],
	['text after the header', withHeader('{}x'), /text after the end/],
	['NUL padding', withHeader('{}\0\0'), /text after the end/],
	['a header starting with a space', withHeader(' {}'), /does not start with '\{'/],
	['a header starting with a byte order mark', withHeader('\ufeff{}'), /does not start with '\{'/],
	['nesting 100,000 deep', withHeader(`{"t":{"x":${'['.repeat(100_000)}`), /nested too deep/],
	['one name twice', withHeader(`{${float('t', 0, 4)},${float('t', 0, 4)}}`, 'xxxx'), /`t` is there twice/],
	['one field twice', entry({ more: ',"dtype":"F32"' }), /has `dtype` twice/],
	['a number among the metadata', withHeader('{"__metadata__":{"a":1}}'), /in its header/],
	['an object among the metadata', withHeader('{"__metadata__":{"a":{}}}'), /in its header/],
	['metadata that is a list', withHeader('{"__metadata__":[]}'), /in its header/],
	['an unknown dtype', entry({ dtype: '"F31"' }), /unknown dtype `F31`/],
	['a dtype in lower case', entry({ dtype: '"f32"' }), /unknown dtype `f32`/],
	['a dtype that is a number', entry({ dtype: '32' }), /in its header/],
	['a missing field', withHeader('{"t":{"dtype":"F32","shape":[0]}}'), /lacks dtype, shape or data_offsets/],
	['an entry that is no object', withHeader('{"t":7}'), /in its header/],
	['a size of -1', entry({ shape: '[-1]' }), /in its header/],
	['a size of 1.5', entry({ shape: '[1.5]' }), /not whole/],
	['a size of 4e0', entry({ shape: '[4e0]' }), /not whole/],
	['a size that is text', entry({ shape: '["2"]' }), /in its header/],
	['a size that JavaScript would round', entry({ shape: '[9007199254740993]' }), /has 8 bytes, expected 288230376151711776 bits/],
	['a size over 2^64', entry({ shape: '[18446744073709551616]' }), /over 2\^64/],
	['a product of sizes over 2^64', entry({ shape: '[4294967296,4294967296,4294967296]' }), /beyond 2\^64 values/],
	['such a product before a size of 0', entry({ shape: '[4294967296,4294967296,0]' }), /beyond 2\^64 values/],
	['a product with the width over 2^64', entry({ shape: '[1152921504606846976]' }), /beyond 2\^64 bits/],
	['a shape of 65 sizes', entry({ shape: `[${'1,'.repeat(64)}2]` }), /more than 64/],
	['offsets reversed', entry({ data_offsets: '[8,0]' }), /spans bytes 8 to 0/],
	['a negative offset', entry({ data_offsets: '[-8,0]' }), /in its header/],
	['an offset beyond the end', entry({ shape: '[4]', data_offsets: '[0,16]' }), /its tensors take 16 bytes, but 8 follow/],
	['three offsets', entry({ data_offsets: '[0,4,8]' }), /more than 2 numbers/],
	['one offset', entry({ data_offsets: '[0]' }), /needs two data_offsets/],
	['overlapping tensors', withHeader(`{${float('a', 0, 8)},${float('b', 4, 12)}}`, 'x'.repeat(12)), /`b` spans bytes 4 to 12, expected a start at 8/],
	['two tensors on the same bytes', withHeader(`{${float('a', 0, 8)},${float('b', 0, 8)}}`, 'x'.repeat(8)), /`b` spans bytes 0 to 8/],
	[
		'a hole between tensors',
		withHeader(`{${float('a', 0, 4)},${float('b', 8, 12)}}`, 'x'.repeat(12)),
		/`b` spans bytes 8 to 12, expected a start at 4/,
	],
	['a hole at the start', withHeader(`{${float('a', 4, 8)}}`, 'x'.repeat(8)), /expected a start at 0/],
	['bytes after the last tensor', entry({}, 'x'.repeat(9)), /its tensors take 8 bytes, but 9 follow/],
	['a shape that does not fill its span', entry({ shape: '[3]' }), /has 8 bytes, expected 96 bits for F32 \[3\]/],
	['a sub-byte tensor that ends within a byte', withHeader('{"t":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}', 'x'), /expected 12 bits/],
	['a Git-LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n', /Git-LFS pointer/],
	['an HTML page', '<!DOCTYPE html><html><body>404</body></html>', /HTML page/],
	['a gzip file', gzipSync('x'.repeat(100)), /gzip/],
	['a zip archive', Buffer.from('PK\x03\x04rest of it'), /zip archive/],
	['a pickle', Buffer.from('\x80\x02}q\x00.rest of it', 'latin1'), /Python pickle/],
];
test.each(refused)('%s is refused', (_, bytes, reason) => {
	expect(() => header(bytes)).toThrow(expect.objectContaining({ code: 'SAFETENSORS_INVALID', message: expect.stringMatching(reason) }));
});

const accepted: [string, Buffer, number][] = [
	['a header with nothing in it', withHeader('{}'), 0],
	['metadata alone', withHeader('{"__metadata__":{"format":"pt"}}'), 0],
	['null metadata', withHeader('{"__metadata__":null}'), 0],
	['a padded header', withHeader(`{${float('t', 0, 4)}}   \n`, 'xxxx'), 1],
	['a scalar', withHeader(`{${float('t', 0, 4, '[]')}}`, 'xxxx'), 1],
	['empty tensors that share an offset', withHeader(`{${float('a', 4, 4, '[0]')},${float('b', 4, 4, '[3,0]')},${float('c', 0, 4)}}`, 'xxxx'), 3],
	['an extra field', entry({ more: ',"note":[{"a":null}]' }), 1],
	['NaN values', entry({}, '\xff'.repeat(4)), 1], // eight bytes in UTF-8
	[
		'odd names',
		withHeader(`{${float('__proto__', 0, 4)},${float('', 4, 8)},${float('a\\u0000b', 8, 12)},${float('constructor', 12, 16)}}`, 'x'.repeat(16)),
		4,
	],
];
test.each(accepted)('%s is accepted', (_, bytes, tensors) => {
	expect(header(bytes)).toHaveLength(tensors);
});

test('names come back as they are and pollute nothing', () => {
	const names = header(withHeader(`{${float('__proto__', 0, 4)},${float('a\\u0000b', 4, 8)},${float('漢', 8, 12)}}`, 'x'.repeat(12))).map(
		({ name }) => name,
	);
	expect(names).toEqual(['__proto__', 'a\0b', '漢']);
	expect(({} as Record<string, unknown>).dtype).toBeUndefined();
});

test('element types of the reference library are listed', () => {
	const tensors = loadBase().openTensors(reference('element-types.safetensors')).tensors;
	expect(tensors).toContainEqual({ name: 'ünï漢', dtype: 'F32', shape: [2] });
	expect(tensors).toContainEqual({ name: 'scalar', dtype: 'F32', shape: [] });
	expect(tensors).toContainEqual({ name: 'empty', dtype: 'F32', shape: [3, 0] });
});

test('200,000 tensors are refused by their number', () => {
	const entries = Array.from({ length: 200_000 }, (_, i) => `"${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`);
	expect(() => header(withHeader(`{${entries.join(',')}}`))).toThrow(/more than 100000 tensors/);
});

test('a sparse file of 1 TB is judged by its header alone', () => {
	const file = join(folder, 'sparse.safetensors');
	writeFileSync(file, withHeader(`{${float('t', 0, 1e12)}}`));
	try {
		truncateSync(file, 1e12);
	} catch {
		return; // no sparse files of that size on this disk
	}
	expect(() => loadBase().openTensors(file)).toThrow(expect.objectContaining({ code: 'SAFETENSORS_INVALID' }));
});

test('what is not a regular file is refused at once', () => {
	const read = (path: string) => () => loadBase().openTensors(path);
	expect(read(folder)).toThrow(expect.objectContaining({ code: 'FILE_NOT_READABLE', message: expect.stringContaining('a folder') }));
	expect(read(join(folder, 'none'))).toThrow(expect.objectContaining({ code: 'FILE_NOT_FOUND' }));
	expect(read(`${folder}/a\0b`)).toThrow(expect.objectContaining({ code: 'FILE_NOT_READABLE' }));
	if (process.platform === 'win32') return;
	execFileSync('mkfifo', [join(folder, 'fifo')]);
	symlinkSync('loop', join(folder, 'loop'));
	expect(read(join(folder, 'fifo'))).toThrow(/a FIFO/);
	expect(read('/dev/zero')).toThrow(/a device/);
	expect(read(join(folder, 'loop'))).toThrow(expect.objectContaining({ code: 'FILE_NOT_READABLE' }));
});

test('a message does not repeat a name of 10 MB', () => {
	const long = 'n'.repeat(1e7);
	expect(header(withHeader(`{${float(long, 0, 4)}}`, 'xxxx'))[0]?.name).toBe(long);
	expect(() => header(withHeader(`{"${long}":{"dtype":"F31","shape":[0],"data_offsets":[0,0]}}`))).toThrow(/^.{1,400}$/);
});
