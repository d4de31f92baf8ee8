import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tests find no tokens but their own: those of an earlier build would hide what this one makes of the same rows. */
export default function setup(): () => void {
	const folder = mkdtempSync(join(tmpdir(), 'distiltune-own-tokens-'));
	process.env.DISTILTUNE_TOKENS_DIR = folder;
	return () => rmSync(folder, { recursive: true, force: true });
}
