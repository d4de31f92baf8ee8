/** Texts as the verbs take them: from the command line or a file. */
import { readTexts, type StreamedFormat, streamedFormats } from '../data/file.js';
import { ConfigError, type DataError } from '../errors.js';
import { faultOf } from '../option-check.js';

export interface TextFlags {
	/** A file; `-` for standard input. */
	readonly input?: string;
	readonly textColumn: string;
	readonly inputFormat?: string;
}

/** The texts themselves, else those of --input; throws where both or neither are given, `example` being what to write. `onBytes`: as for readTexts. */
export function textsOf(
	texts: readonly string[],
	{ input, textColumn, inputFormat }: TextFlags,
	example: string,
	onBytes?: (count: number) => void,
): AsyncIterable<string | DataError> | Iterable<string> {
	if (texts.length > 0 === (input !== undefined)) {
		throw new ConfigError('OPTIONS_INVALID', `Expected texts or --input, got ${texts.length > 0 ? 'both' : 'neither'}`, { hint: example });
	}
	const fault = inputFormat === undefined ? undefined : faultOf({ kind: 'choice', choices: streamedFormats }, inputFormat, '--input-format');
	if (fault !== undefined) throw new ConfigError('OPTIONS_INVALID', fault);
	if (input === undefined) return texts;
	const reading = { textColumn, format: inputFormat as StreamedFormat | undefined, onBytes };
	return input === '-' ? readTexts('standard input', { ...reading, stream: process.stdin }) : readTexts(input, reading);
}
