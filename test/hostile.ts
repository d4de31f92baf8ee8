import { expect } from 'vitest';

/** Expects `read` to throw an error of this code and message, and soon. */
export function expectRefusal(read: () => unknown, code: string, message: RegExp | string): void {
	const start = process.cpuUsage();
	expect(read).toThrow(
		expect.objectContaining({ code, message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message) }),
	);
	const { user, system } = process.cpuUsage(start);
	// The design's bar for a hostile file is a second; of the processor, for the machine may be busy with something else.
	expect((user + system) / 1e6).toBeLessThan(1);
}
