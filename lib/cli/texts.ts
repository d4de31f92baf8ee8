/** Texts as the verbs take them: from the command line or a file, a portion at a time. */
import { readTexts } from '../data/file.js';
import { ConfigError, type DataError } from '../errors.js';

export interface TextFlags {
	/** A file; `-` for JSON lines on standard input. */
	readonly input?: string;
	readonly textColumn: string;
}

/** The texts themselves, else those of --input; throws where both or neither are given, `example` being what to write. */
export function textsOf(
	texts: readonly string[],
	{ input, textColumn }: TextFlags,
	example: string,
): AsyncIterable<string | DataError> | Iterable<string> {
	if (texts.length > 0 === (input !== undefined)) {
		throw new ConfigError('OPTIONS_INVALID', `Expected texts or --input, got ${texts.length > 0 ? 'both' : 'neither'}`, { hint: example });
	}
	return input === undefined ? texts : readTexts(input, textColumn, input === '-' ? process.stdin : undefined);
}

// Texts classified in one call.
const AT_ONCE = 256;

export async function* portions<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T[]> {
	let part: T[] = [];
	for await (const item of items) {
		part.push(item);
		if (part.length < AT_ONCE) continue;
		yield part;
		part = [];
	}
	if (part.length > 0) yield part;
}
