import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadBase } from '../lib/runtime/load.js';
import { expectRefusal } from './hostile.js';
import {
	dict,
	global,
	int,
	legacyForm,
	no,
	none,
	orderedDict,
	pickle,
	storage as storageOf,
	tensor,
	text,
	tuple,
	twoFloats,
	type View,
	yes,
	zipForm,
} from './torch-files.js';

// A pickle is a program. What is not needed to say "these are tensors" is refused by name, before anything comes of it.

const folder = mkdtempSync(join(tmpdir(), 'distiltune-'));
afterAll(() => rmSync(folder, { recursive: true }));

function written(bytes: Buffer): string {
	const file = join(folder, 'pytorch_model.bin');
	writeFileSync(file, bytes);
	return file;
}

const open = (bytes: Buffer) => loadBase().openTensors(written(bytes));

/** Both forms, as functions of one program, and the sixth item that a persistent id has there. */
const forms = [
	['zip', zipForm, ''],
	['legacy', legacyForm, none],
] as const;

describe.each(forms)('%s', (_, form, more) => {
	const storage = (key = '0', count: number | bigint = 2, options: Parameters<typeof storageOf>[2] = {}) =>
		storageOf(key, count, { more, ...options });
	const view = (changes: View) => dict(text('t') + tensor(storage(), changes));

	function expectRefused(program: string, message: RegExp | string): void {
		const file = written(form(program));
		expectRefusal(() => loadBase().openTensors(file), 'PYTORCH_BIN_INVALID', message);
	}

	test('a sound one is read', () => {
		const opened = open(form(pickle(view({}))));
		expect(opened.tensors).toEqual([{ name: 't', dtype: 'F32', shape: [2] }]);
		expect(Array.from(opened.read(0))).toEqual([1.5, -2]);
		expect(() => opened.read(1)).toThrow(expect.objectContaining({ code: 'TENSOR_MISSING' }));
		expect(() => opened.read(-1)).toThrow(expect.objectContaining({ code: 'TENSOR_MISSING' }));
	});

	test('what is no tensor is passed over', () => {
		const others = { i: int(7), f: `G${'\0'.repeat(8)}`, s: text('é'), b: 'U\x02hi', n: none, l: `](${int(1)}${int(2)}e${int(3)}a`, d: yes };
		const entries = Object.entries(others).map(([name, value]) => text(name) + value);
		expect(open(form(pickle(dict(text('t') + tensor(storage()), ...entries)))).tensors).toHaveLength(1);
	});

	const disallowed: readonly (readonly [string, string])[] = [
		['INST', '(ios\nsystem\n'],
		['OBJ', `(${text('id')}o`],
		['STACK_GLOBAL', `${text('os')}${text('system')}\x93`],
		['NEWOBJ', `${orderedDict})\x81`],
		['NEWOBJ_EX', `${orderedDict})}\x92`],
		['EXT1', '\x82\x01'],
		['EXT2', '\x83\x01\x00'],
		['EXT4', '\x84\x01\x00\x00\x00'],
		['PERSID', 'Pstorage\n'],
		['DUP', `${none}2`],
		['POP', `${none}0`],
		['POP_MARK', '(1'],
		['GET', 'g0\n'],
		['PUT', `${none}p0\n`],
		['DICT', '(d'],
		['LIST', '(l'],
		['STRING', "S'id'\n"],
		['BINSTRING', 'T\x02\x00\x00\x00id'],
		['UNICODE', 'Vid\n'],
		['INT', 'I1\n'],
		['LONG', 'L1L\n'],
		['LONG4', '\x8b\x01\x00\x00\x00\x01'],
		['FLOAT', 'F1.5\n'],
		['BINBYTES', 'B\x01\x00\x00\x00x'],
		['SHORT_BINBYTES', 'C\x01x'],
		['BINBYTES8', '\x8e\x01\0\0\0\0\0\0\0x'],
		['SHORT_BINUNICODE', '\x8c\x01x'],
		['BINUNICODE8', '\x8d\x01\0\0\0\0\0\0\0x'],
		['BYTEARRAY8', '\x96\x01\0\0\0\0\0\0\0x'],
		['NEXT_BUFFER', '\x97'],
		['READONLY_BUFFER', `${none}\x98`],
		['FRAME', '\x95\x01\0\0\0\0\0\0\0N'],
		['MEMOIZE', `${none}\x94`],
		['EMPTY_SET', '\x8f'],
		['FROZENSET', '(\x91'],
		['ADDITEMS', '\x8f(\x90'],
	];
	test.each(disallowed)('opcode %s is refused', (name, program) => {
		// What stands before the opcode in question is allowed, so the offset is its own; ADDITEMS needs a set first.
		const at = name === 'ADDITEMS' ? '(?:EMPTY_SET) at byte' : `${name} at byte ${2 + program.indexOf(opcodeByte[name] as string)}`;
		expectRefused(pickle(program), new RegExp(`opcode ${at} ?.*is not one that builds tensors`));
	});

	test('a byte that is no opcode is refused', () => {
		for (const byte of ['\x00', '\xff', '~', '\n']) expectRefused(pickle(byte), /opcode 0x[0-9A-F]{2} at byte 2 is not one/);
	});

	test.each(callables)('%s is refused', (name) => {
		const dot = name.lastIndexOf('.');
		expectRefused(
			pickle(`${global(name.slice(0, dot), name.slice(dot + 1))}${tuple(text('id'))}R`),
			`global \`${name}\` at byte 2 is not one of those that tensors are built with`,
		);
	});

	test('globals that look like allowed ones are refused', () => {
		for (const [module, name] of [
			['collections', 'OrderedDict.fromkeys'],
			['collections ', 'OrderedDict'],
			['torch', 'FloatStorage\0'],
			['torch._utils', '_rebuild_tensor_v3'],
			['torch', 'UntypedStorage'],
			['torch._utils._rebuild_tensor_v2', ''],
			['', ''],
		] as const)
			expectRefused(pickle(`${global(module, name)}`), /global `.*` at byte 2/);
		expectRefused(pickle(`c${'a'.repeat(1000)}\n`), /opcode GLOBAL at byte 2 names `a{128}...`, which is too long/);
		expectRefused('\x80\x02cos', /opcode GLOBAL at byte 2/);
	});

	const hooks = `${orderedDict}(${text('hook')}${int(1)}u`;
	const nested = (depth: number) => `${')'.repeat(1)}${'\x85'.repeat(depth)}`;
	const structural: readonly (readonly [string, string, RegExp])[] = [
		['an empty stack at STOP', '', /opcode STOP at byte 2 finds too few values/],
		['two values at STOP', `${none}${none}`, /opcode STOP at byte 4 leaves values on the stack/],
		['a mark at STOP', `${none}(`, /opcode STOP at byte 4 finds too few values/],
		['TUPLE1 of nothing', '\x85', /opcode TUPLE1 at byte 2 finds too few/],
		['TUPLE2 of one', `${none}\x86`, /opcode TUPLE2 at byte 3 finds too few/],
		['TUPLE3 across a mark', `${none}${none}(${none}\x87`, /opcode TUPLE3 at byte 6 finds too few/],
		['TUPLE without a mark', 't', /opcode TUPLE at byte 2 finds no mark/],
		['APPEND to nothing', `${none}a`, /opcode APPEND at byte 3 finds too few/],
		['APPEND across a mark', `](${none}a`, /opcode APPEND at byte 5 finds too few/],
		['APPENDS without a mark', 'e', /opcode APPENDS at byte 2 finds no mark/],
		['APPEND to a dict', `}${none}a`, /opcode APPEND at byte 4 expects a list/],
		['SETITEM of nothing', 's', /opcode SETITEM at byte 2 finds too few/],
		['SETITEM of a key alone', `}${none}s`, /opcode SETITEM at byte 4 finds too few/],
		['SETITEM on a list', `]${text('a')}${none}s`, /opcode SETITEM at byte 10 expects a dict/],
		['SETITEM on a tensor', `${tensor(storage())}${text('a')}${none}s`, /opcode SETITEM at byte \d+ expects a dict/],
		['SETITEMS on a storage', `${storage()}(${text('a')}${none}u`, /opcode SETITEMS at byte \d+ expects a dict/],
		['SETITEMS of a key without a value', `}(${text('a')}u`, /opcode SETITEMS at byte 10 finds a key without a value/],
		['a key that is a tuple', `})${none}s`, /opcode SETITEM at byte 5 expects texts or integers/],
		['REDUCE of nothing', 'R', /opcode REDUCE at byte 2 finds too few/],
		['REDUCE of an integer', `${int(1)})R`, /opcode REDUCE at byte 5 calls something that is not a global/],
		['REDUCE of a dict', `${orderedDict})R`, /opcode REDUCE at byte 30 calls something/],
		['REDUCE with a list', `${global('collections', 'OrderedDict')}]R`, /opcode REDUCE at byte 28 expects a tuple/],
		['REDUCE of a type of storage', `${global('torch', 'FloatStorage')})R`, /opcode REDUCE at byte 23 calls a type of storage/],
		['an OrderedDict with arguments', `${global('collections', 'OrderedDict')}${tuple(']')}R`, /expects no arguments for OrderedDict/],
		['BUILD on a dict', '}}b', /opcode BUILD at byte 4 expects an OrderedDict/],
		['BUILD on a tensor', `${tensor(storage())}}b`, /opcode BUILD at byte \d+ expects an OrderedDict/],
		['BUILD with a tuple', `${orderedDict})b`, /opcode BUILD at byte 30 expects a dict/],
		['BUILD with itself', `${orderedDict}q\x00h\x00b`, /opcode BUILD at byte 33 expects a dict/],
		['an entry of the memo that is not there', 'h\x00', /opcode BINGET at byte 2 asks for entry 0 of the memo/],
		['a hole in the memo', `${none}q\x05h\x04`, /opcode BINGET at byte 5 asks for entry 4/],
		['BINPUT of nothing', 'q\x00', /opcode BINPUT at byte 2 finds too few/],
		['LONG_BINGET of 2^32 - 1', 'j\xff\xff\xff\xff', /opcode LONG_BINGET at byte 2 asks for entry 4294967295/],
		['LONG_BINPUT to 2^32 - 1', `${none}r\xff\xff\xff\xff`, /opcode LONG_BINPUT at byte 3 puts too many values into the memo/],
		['LONG_BINPUT beyond what the file could fill', `${none}r\x3f\x42\x0f\x00`, /opcode LONG_BINPUT at byte 3 makes more of the pickle/],
		['a list that holds itself', ']q\x00h\x00a', /opcode APPEND at byte 7 adds to a container that is part of another one, or of itself/],
		['a dict that holds itself', `}q\x00${text('a')}h\x00s`, /opcode SETITEM at byte 13 adds to a container/],
		['two lists that hold each other', ']q\x00]q\x01h\x00ah\x00h\x01a', /opcode APPEND at byte 15 adds to a container/],
		['LONG1 of 255 bytes', `\x8a\xff${'\x01'.repeat(255)}`, /opcode LONG1 at byte 2 holds a number of more than 8 bytes/],
		['a text of 2^32 - 1 bytes', 'X\xff\xff\xff\xffab', /opcode BINUNICODE at byte 2 claims a text of 4294967295 bytes/],
		['text that is not UTF-8', 'X\x02\x00\x00\x00\xc3\x28', /opcode BINUNICODE at byte 2 holds text that is not UTF-8/],
		['half a surrogate pair', 'X\x03\x00\x00\x00\xed\xa0\x80', /opcode BINUNICODE at byte 2 holds text that is not UTF-8/],
		['tuples 65 deep', nested(65), /opcode TUPLE1 at byte \d+ nests values too deep/],
		['lists 65 deep', `${']'.repeat(66)}${'a'.repeat(65)}`, /opcode APPEND at byte \d+ nests values too deep/],
		['a billion laughs', `]q\x00${'(h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00tq\x00'.repeat(80)}`, /nests values too deep/],
		['a second PROTO', `\x80\x02${dict()}`, /opcode PROTO at byte 2 is not one/],
		['no dict', none, /does not hold a dict of tensors/],
		['a list of tensors', `]${tensor(storage())}a`, /does not hold a dict of tensors/],
		['a tensor alone', tensor(storage()), /does not hold a dict of tensors/],
		['a key that is a number', dict(int(0) + tensor(storage())), /a key that is not a text/],
		['a name twice', dict(text('t') + tensor(storage()), text('t') + tensor(storage())), /`t` is there twice/],
		['a dict in the dict', dict(text('model') + dict()), /`model` is not a tensor/],
		['a global in the dict', dict(text('a') + global('torch', 'Size')), /`a` is not a tensor/],
		['a storage in the dict', dict(text('a') + storage()), /`a` is not a tensor/],

		['a persistent id of text', `${text('storage')}Q`, /opcode BINPERSID at byte \d+ expects a tuple that names a storage/],
		[
			'a persistent id of four items',
			`${tuple(text('storage'), global('torch', 'FloatStorage'), text('0'), text('cpu'))}Q`,
			/expects a tuple that names/,
		],
		['a persistent id of something else', `${tuple(text('module'), text('a'), text('b'), text('c'), int(1))}Q`, /expects a tuple that names/],
		[
			'a storage of no type',
			storageOf('0', 2, { more }).replace('torch\nFloatStorage', 'torch._utils\n_rebuild_tensor_v2'),
			/expects the type of a storage/,
		],
		['a key with a way out', storage('../0'), /expects a storage's key to be digits/],
		['an empty key', storage(''), /expects a storage's key to be digits/],
		['a key in other digits', storage('٣'), /expects a storage's key to be digits/],
		['a storage on no device', storage('0', 2, { device: 'meta' }), /expects a storage on cpu, cuda or mps/],
		['a storage on a strange device', storage('0', 2, { device: 'cuda:0/..' }), /expects a storage on cpu, cuda or mps/],
		['a storage of -1 elements', storage('0', -1n), /expects a storage's number of elements/],
		['one key for two types', `(${storage()}${storage('0', 2, { type: 'IntStorage' })}t`, /another type or size than before/],
		['one key for two sizes', `(${storage()}${storage('0', 1)}t`, /another type or size than before/],
		['a view of a storage, as torch 0.3 wrote', storageOf('0', 2, { more: tuple(text('0'), int(0), int(1)) }), /names a view of a storage/],
		['a storage of 2^60 elements', dict(text('t') + tensor(storage('0', 2n ** 60n))), /storage 0 that opcode BINPERSID at byte \d+ names/],
		['a storage of 2^62 elements', dict(text('t') + tensor(storage('0', 2n ** 62n))), /has more than 2\^64 bytes/],
		['a storage that is not there', dict(text('t') + tensor(storage('1'))), /storage 1 that opcode BINPERSID|it lists `0`/],

		[
			'a tensor of five arguments',
			`${global('torch._utils', '_rebuild_tensor_v2')}${tuple(storage(), int(0), ')', ')', no)}R`,
			/expects six arguments/,
		],
		['a tensor of an integer', view({}).replace(storage(), int(7)), /expects a storage to make a tensor of/],
		['an offset of -1', view({ offset: int(-1) }), /expects an offset from 0/],
		['an offset that is text', view({ offset: text('0') }), /expects an offset from 0/],
		['more sizes than strides', view({ sizes: [1, 2] }), /expects as many sizes as strides/],
		['a size of -1', view({ sizes: [-1] }), /expects as many sizes as strides, all from 0/],
		['a stride of -1', view({ strides: [-1] }), /expects as many sizes as strides, all from 0/],
		['65 axes', view({ sizes: Array(65).fill(1), strides: Array(65).fill(1) }), /expects as many sizes as strides/],
		['requires_grad that is a number', view({ grad: int(1) }), /expects requires_grad and no hooks/],
		['a hook', view({ hooks }), /expects requires_grad and no hooks/],
		['a view past the end', view({ sizes: [3] }), /opcode REDUCE at byte \d+ makes a view past the end of its storage/],
		['an offset past the end', view({ offset: int(1) }), /makes a view past the end/],
		['a stride past the end', view({ strides: [2] }), /makes a view past the end/],
		['an empty view past the end', view({ offset: int(3), sizes: [0] }), /makes a view past the end/],
		['a stride of 2^62', view({ sizes: [2, 2, 2, 2], strides: Array(4).fill(2n ** 62n) }), /makes a view past the end/],
		['a size of 2^62', view({ sizes: [2n ** 62n, 4], strides: [1, 1] }), /makes a view past the end/],
		[
			'sizes that wrap around to the storage',
			view({ sizes: [2n ** 32n + 1n, 2n ** 32n + 1n], strides: [2n ** 32n, 2n ** 32n] }),
			/makes a view past the end/,
		],
		['one element 2^62 times', view({ sizes: [2n ** 62n], strides: [0] }), /`t` repeats its elements/],
		['one element 2^64 times', view({ sizes: [2n ** 32n, 2n ** 32n], strides: [0, 0] }), /`t` repeats its elements/],
		[
			'a parameter of a storage',
			`${global('torch._utils', '_rebuild_parameter')}${tuple(storage(), yes, orderedDict)}R`,
			/expects a tensor, requires_grad/,
		],
		[
			'a parameter with a hook',
			`${global('torch._utils', '_rebuild_parameter')}${tuple(tensor(storage()), yes, hooks)}R`,
			/expects a tensor, requires_grad/,
		],
		['a Size of texts', `${global('torch', 'Size')}${tuple(tuple(text('2')))}R`, /expects one tuple of sizes/],
	];
	test.each(structural)('%s is refused', (_name, body, message) => expectRefused(pickle(body), message));

	test('protocols other than 2 are refused', () => {
		for (const protocol of [0, 1, 3, 4, 5, 255])
			expectRefused(`\x80${String.fromCharCode(protocol)}${dict()}.`, `opcode PROTO at byte 0 asks for protocol ${protocol}, expected 2`);
		expectRefused(`${dict()}.`, /does not start with opcode PROTO/);
		expectRefused(`(dp0\nS't'\n.`, /does not start with opcode PROTO/);
	});

	test('the pickle cut anywhere is refused', () => {
		const whole = pickle(dict(text('t') + tensor(storage()), text('u') + int(1n << 40n), text('v') + orderedDict));
		for (let length = 0; length < whole.length; length++)
			expect(() => open(form(whole.slice(0, length)))).toThrow(expect.objectContaining({ code: 'PYTORCH_BIN_INVALID' }));
	});

	test('more is made of no pickle than its file has bytes', () => {
		for (const each of [')', '(', ']', 'N', '\x88'])
			expectRefused(pickle(each.repeat(90_000)), /opcode \w+ at byte \d+ makes more of the pickle than its file has bytes/);
		expectRefused(pickle(`](${none.repeat(90_000)}e`), /makes more of the pickle/);
		expectRefused(pickle(`${none}q\x00${`(${'h\x00'.repeat(1000)}tq\x01`.repeat(1000)}`), /makes more of the pickle/);
	});

	test('limits hold in a large file too', () => {
		const tensors = (count: number) => {
			const first = `${global('torch._utils', '_rebuild_tensor_v2')}q\x00${tuple(storage(), int(0), tuple(int(2)), tuple(int(1)), no, orderedDict)}q\x01Ra`;
			return `]${first}${'h\x00h\x01Ra'.repeat(count - 1)}`;
		};
		const large = (body: string) => form(pickle(body), { 0: twoFloats, 1: Buffer.alloc(16e6) });
		expect(() => open(large(tensors(100_001)))).toThrow(/opcode REDUCE at byte \d+ makes too many tensors/);
		expect(() => open(large(tensors(100_000)))).toThrow(/does not hold a dict/);
		for (const each of [none, '(']) expect(() => open(large(each.repeat(100_001)))).toThrow(/opcode \w+ at byte 100002 makes the stack too high/);
		expect(() => open(large(`${none}r\x40\x42\x0f\x00`))).toThrow(/puts too many values into the memo/);
	});
});

test('a zip: what follows STOP is refused', () => {
	const sound = pickle(dict());
	for (const more of ['.', ' ', 'cos\nsystem\n', sound])
		expect(() => open(zipForm(sound + more))).toThrow(
			expect.objectContaining({ message: expect.stringContaining(`goes on for ${more.length} bytes after STOP`) }),
		);
});

/** Functions and classes that pickles have been made to call, most of them from the reports on scanners that missed them. */
const callables = [
	...['os.system', 'posix.system', 'nt.system', 'subprocess.Popen', 'runpy._run_code', 'cProfile.run', 'timeit.timeit', 'pty.spawn'],
	...['builtins.eval', 'builtins.exec', 'builtins.getattr', 'builtins.open', 'builtins.__import__', '__builtin__.eval'],
	...['pydoc.locate', 'pydoc.pipepager', 'operator.attrgetter', 'operator.methodcaller', 'functools.partial'],
	...['importlib.import_module', 'pkgutil.resolve_name', 'inspect.getattr_static', 'marshal.loads', 'types.FunctionType', 'types.CodeType'],
	...['ctypes.CDLL', 'codecs.open', 'io.FileIO', 'http.client.HTTPSConnection', '_posixsubprocess.fork_exec', 'site.execsitecustomize'],
	...[
		'atexit._run_exitfuncs',
		'uuid._get_command_stdout',
		'asyncio.subprocess.create_subprocess_shell',
		'asyncio.unix_events._UnixSubprocessTransport',
	],
	...['numpy.f2py.crackfortran.getlincoef', 'numpy.core.multiarray._reconstruct', 'numpy._core.multiarray._reconstruct'],
	...['torch.load', 'torch.hub.load', 'torch.storage._load_from_bytes', 'torch._tensor._rebuild_from_type_v2', 'torch._utils._rebuild_tensor'],
	...['torch._utils._rebuild_sparse_tensor', 'torch.jit.load', 'collections.Counter', 'collections.defaultdict', '_codecs.encode'],
	'transformers.training_args.TrainingArguments',
];

const opcodeByte: Readonly<Record<string, string>> = {
	...{
		INST: 'i',
		OBJ: 'o',
		STACK_GLOBAL: '\x93',
		NEWOBJ: '\x81',
		NEWOBJ_EX: '\x92',
		EXT1: '\x82',
		EXT2: '\x83',
		EXT4: '\x84',
		PERSID: 'P',
		DUP: '2',
	},
	...{ POP: '0', POP_MARK: '1', GET: 'g', PUT: 'p', DICT: 'd', LIST: 'l', STRING: 'S', BINSTRING: 'T', UNICODE: 'V', INT: 'I', LONG: 'L' },
	...{ LONG4: '\x8b', FLOAT: 'F', BINBYTES: 'B', SHORT_BINBYTES: 'C', BINBYTES8: '\x8e', SHORT_BINUNICODE: '\x8c', BINUNICODE8: '\x8d' },
	...{ BYTEARRAY8: '\x96', NEXT_BUFFER: '\x97', READONLY_BUFFER: '\x98', FRAME: '\x95', MEMOIZE: '\x94', EMPTY_SET: '\x8f', FROZENSET: '\x91' },
};
