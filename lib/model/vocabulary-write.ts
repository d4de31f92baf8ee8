import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vocabulary } from './vocabulary.js';

/** Writes the tokenizer's four files into `folder`, which exists, as Transformers' save_pretrained leaves them. */
export async function saveVocabulary(folder: string, vocabulary: Vocabulary): Promise<void> {
	const named = {
		cls_token: vocabulary.clsToken,
		mask_token: vocabulary.maskToken,
		pad_token: vocabulary.padToken,
		sep_token: vocabulary.sepToken,
		unk_token: vocabulary.unkToken,
	};
	const config = {
		backend: 'tokenizers',
		cls_token: vocabulary.clsToken,
		do_lower_case: vocabulary.lowercase,
		mask_token: vocabulary.maskToken,
		model_max_length: vocabulary.modelMaxLength,
		pad_token: vocabulary.padToken,
		sep_token: vocabulary.sepToken,
		strip_accents: vocabulary.stripAccents,
		tokenize_chinese_chars: vocabulary.handleChineseChars,
		tokenizer_class: 'DistilBertTokenizer',
		unk_token: vocabulary.unkToken,
	};
	await writeFile(join(folder, 'vocab.txt'), vocabTxt(vocabulary.tokens));
	await writeFile(join(folder, 'tokenizer.json'), tokenizerJson(vocabulary));
	await writeFile(join(folder, 'tokenizer_config.json'), `${JSON.stringify(config, null, 2)}\n`);
	await writeFile(join(folder, 'special_tokens_map.json'), `${JSON.stringify(named, null, 2)}\n`);
}

/** A token with a line break in it, which no word can match, would move all ids behind it: its line stays empty. */
function vocabTxt(tokens: readonly string[]): string {
	return tokens.map((token) => `${token.includes('\n') ? '' : token}\n`).join('');
}

function tokenizerJson(vocabulary: Vocabulary): string {
	const { clsToken, sepToken } = vocabulary;
	const idOf = (token: string) => vocabulary.tokens.indexOf(token);
	const special = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
	const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
	const added = vocabulary.specialTokens.map((content) => ({
		id: idOf(content),
		content,
		single_word: false,
		lstrip: false,
		rstrip: false,
		normalized: false,
		special: true,
	}));
	const json = JSON.stringify(
		{
			version: '1.0',
			truncation: null,
			padding: null,
			added_tokens: added.sort((a, b) => a.id - b.id),
			normalizer: {
				type: 'BertNormalizer',
				clean_text: vocabulary.cleanText,
				handle_chinese_chars: vocabulary.handleChineseChars,
				strip_accents: vocabulary.stripAccents,
				lowercase: vocabulary.lowercase,
			},
			pre_tokenizer: { type: 'BertPreTokenizer' },
			post_processor: {
				type: 'TemplateProcessing',
				single: [special(clsToken, 0), sequence('A', 0), special(sepToken, 0)],
				pair: [special(clsToken, 0), sequence('A', 0), special(sepToken, 0), sequence('B', 1), special(sepToken, 1)],
				special_tokens: Object.fromEntries([clsToken, sepToken].map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }])),
			},
			decoder: { type: 'WordPiece', prefix: vocabulary.continuingPrefix, cleanup: vocabulary.cleanup },
			model: {
				type: 'WordPiece',
				unk_token: vocabulary.unkToken,
				continuing_subword_prefix: vocabulary.continuingPrefix,
				max_input_chars_per_word: vocabulary.maxWordCodePoints,
				vocab: {},
			},
		},
		null,
		2,
	);
	// An object would put tokens that look like numbers first; the file lists them by id.
	const end = '{}\n  }\n}';
	const entries = vocabulary.tokens.flatMap((token, id) => (token === '' ? [] : [`      ${JSON.stringify(token)}: ${id}`]));
	return `${json.slice(0, -end.length)}{\n${entries.join(',\n')}\n    }\n  }\n}`;
}
