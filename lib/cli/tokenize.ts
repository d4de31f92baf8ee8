/** distiltune tokenize */
import { DataError } from '../errors.js';
import { Tokenizer } from '../tokenizer.js';
import { faceOf, type Output } from './output.js';
import { type TextFlags, textsOf } from './texts.js';

export interface TokenizeFlags extends TextFlags {
	readonly maxLength?: number;
}

/** One JSON object a line, with or without --json: { ids, tokens, offsets } or { error }. */
export async function tokenizeVerb(model: string, texts: readonly string[], flags: TokenizeFlags, output: Output): Promise<void> {
	const wanted = textsOf(texts, flags, `distiltune tokenize ${model} "I feel fine"`);
	const tokenizer = await Tokenizer.load(model);
	try {
		for await (const text of wanted) {
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
