/** distiltune tokenize */
import { ConfigError, DataError } from '../errors.js';
import { Tokenizer } from '../tokenizer.js';
import { faceOf, type Output } from './output.js';
import { textsOf } from './predict.js';

export interface TokenizeFlags {
	readonly input?: string;
	readonly textColumn: string;
	readonly maxLength?: number;
}

/** One JSON object a line, with or without --json: { ids, tokens, offsets } or { error }. */
export async function tokenizeVerb(model: string, texts: readonly string[], flags: TokenizeFlags, output: Output): Promise<void> {
	if (texts.length > 0 === (flags.input !== undefined)) {
		throw new ConfigError('OPTIONS_INVALID', `Expected texts or --input, got ${texts.length > 0 ? 'both' : 'neither'}`, {
			hint: `distiltune tokenize ${model} "I feel fine"`,
		});
	}
	const tokenizer = await Tokenizer.load(model);
	try {
		for await (const text of textsOf(texts, flags)) {
			if (text instanceof DataError) {
				const { code, message } = faceOf(text);
				output.emit({ error: { code, message } });
				continue;
			}
			const { ids, tokens, offsets } = tokenizer.encode(text, { maxLength: flags.maxLength });
			output.emit({ ids, tokens, offsets });
		}
	} finally {
		tokenizer.dispose();
	}
}
