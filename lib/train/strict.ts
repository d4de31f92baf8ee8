/** Readers of JSON files of our own: every field is there, of its kind and in range, and no other is; else the file is not ours or not whole. */

/** Gives `value` back as a T; throws Unexpected, whose message names the place in the file. */
export type Reader<T> = (value: unknown, place: string) => T;

export class Unexpected extends Error {
	constructor(place: string, expected: string, got: unknown) {
		const text = JSON.stringify(got) ?? 'nothing';
		super(`${place} is ${text.length > 60 ? `${text.slice(0, 57)}...` : text}, expected ${expected}`);
	}
}

const reader =
	<T>(expected: string, accepts: (value: unknown) => boolean): Reader<T> =>
	(value, place) => {
		if (accepts(value)) return value as T;
		throw new Unexpected(place, expected, value);
	};

/** From 0 up. */
export const whole = reader<number>('a whole number', (value) => Number.isSafeInteger(value) && (value as number) >= 0);
/** Any double, the ones that are no number too. */
export const double = reader<number>('a number', (value) => typeof value === 'number');
export const text = reader<string>('a text', (value) => typeof value === 'string');
export const sha256 = reader<string>('64 hexadecimal digits', (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value));
export const anything: Reader<unknown> = (value) => value;

export const exactly = <const T extends string | number | null>(wanted: T): Reader<T> => reader(JSON.stringify(wanted), (value) => value === wanted);

export const oneOf = <const T extends string>(...wanted: readonly T[]): Reader<T> =>
	reader(`one of ${wanted.join(', ')}`, (value) => (wanted as readonly unknown[]).includes(value));

export const orNull =
	<T>(read: Reader<T>): Reader<T | null> =>
	(value, place) =>
		value === null ? null : read(value, place);

export const list =
	<T>(read: Reader<T>): Reader<readonly T[]> =>
	(value, place) => {
		if (!Array.isArray(value)) throw new Unexpected(place, 'a list', value);
		return value.map((each, index) => read(each, `${place}[${index}]`));
	};

/** An object whose keys are any, and whose values are alike. */
export const table =
	<T>(read: Reader<T>): Reader<Readonly<Record<string, T>>> =>
	(value, place) =>
		Object.fromEntries(entries(value, place).map(([key, each]) => [key, read(each, `${place}.${key}`)]));

type Fields<T> = { readonly [Name in keyof T]-?: Reader<T[Name]> };

/** An object with exactly these fields. */
export const object =
	<T extends object>(fields: Fields<T>): Reader<T> =>
	(value, place) => {
		const given = new Map(entries(value, place));
		for (const key of given.keys()) if (!Object.hasOwn(fields, key)) throw new Unexpected(`${place}.${key}`, 'no such field', given.get(key));
		const read = Object.entries<Reader<unknown>>(fields).map(([key, field]) => [key, field(given.get(key), `${place}.${key}`)]);
		return Object.fromEntries(read) as T;
	};

function entries(value: unknown, place: string): [string, unknown][] {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Unexpected(place, 'an object', value);
	return Object.entries(value);
}
