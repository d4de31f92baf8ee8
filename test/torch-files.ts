/**
 * Builds the files that torch.save writes, sound or not; an independent writer beside native/files. A pickle is a string of bytes
 * (latin1) put together from the opcodes of CPython's pickletools.
 */
import { u32, u64, zipOf } from './zip.js';

export const int = (value: number | bigint): string =>
	value >= 0 && value < 256
		? `K${String.fromCharCode(Number(value))}`
		: `\x8a\x08${Buffer.from(BigInt64Array.of(BigInt(value)).buffer).toString('latin1')}`;
export const text = (value: string): string => {
	const bytes = Buffer.from(value);
	return `X${u32(bytes.length).toString('latin1')}${bytes.toString('latin1')}`;
};
export const global = (module: string, name: string): string => `c${module}\n${name}\n`;
export const tuple = (...items: readonly string[]): string => `(${items.join('')}t`;
export const orderedDict = `${global('collections', 'OrderedDict')})R`;
export const [none, yes, no, stop] = ['N', '\x88', '\x89', '.'];

export const storage = (key: string, count: number | bigint, { type = 'FloatStorage', device = 'cpu', more = '' } = {}): string =>
	`${tuple(text('storage'), global('torch', type), text(key), text(device), int(count), more)}Q`;

export interface View {
	readonly offset?: string;
	readonly sizes?: readonly (number | bigint)[];
	readonly strides?: readonly (number | bigint)[];
	readonly grad?: string;
	readonly hooks?: string;
}
export const tensor = (of: string, { offset = int(0), sizes = [2], strides = [1], grad = no, hooks = orderedDict }: View = {}): string =>
	`${global('torch._utils', '_rebuild_tensor_v2')}${tuple(of, offset, tuple(...sizes.map(int)), tuple(...strides.map(int)), grad, hooks)}R`;

/** A dict of `name: value, ...`, each written as text(name) + value. */
export const dict = (...entries: readonly string[]): string => `}(${entries.join('')}u`;
export const pickle = (body: string): string => `\x80\x02${body}${stop}`;

/** Two floats for the storage "0" that most pickles name. */
export const twoFloats = Buffer.from(Float32Array.of(1.5, -2).buffer);

export type Storages = Readonly<Record<string, Buffer>>;

/** The form since torch 1.6. */
export function zipForm(program: string, storages: Storages = { 0: twoFloats }): Buffer {
	const data = Object.entries(storages).map(([key, bytes]) => [`model/data/${key}`, bytes]);
	return zipOf({ 'model/data.pkl': Buffer.from(program, 'latin1'), 'model/version': '3\n', ...Object.fromEntries(data) });
}

export interface LegacyParts {
	readonly system?: string;
	readonly keys?: string;
	/** Numbers of elements, by key. */
	readonly counts?: Readonly<Record<string, number | bigint>>;
	readonly after?: string;
}

/** The form before torch 1.6; the programs name their storages with `more: none`. */
export function legacyForm(program: string, storages: Storages = { 0: twoFloats }, parts: LegacyParts = {}): Buffer {
	const {
		system = pickle(dict(text('protocol_version') + int(1001), text('little_endian') + yes, text('type_sizes') + dict())),
		keys = pickle(`](${Object.keys(storages).map(text).join('')}e`),
		after = '',
	} = parts;
	const data = Object.entries(storages).flatMap(([key, bytes]) => [u64(parts.counts?.[key] ?? bytes.length / 4), bytes]);
	const pickles = [`\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.`, '\x80\x02M\xe9\x03.', system, program, keys];
	return Buffer.concat([...pickles.map((each) => Buffer.from(each, 'latin1')), ...data, Buffer.from(after, 'latin1')]);
}
