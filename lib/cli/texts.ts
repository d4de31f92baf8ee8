/** Texts as the verbs take them: from the command line or a file. */
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
